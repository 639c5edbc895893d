"""An empty database between two tests that commit, whichever server it is on."""

import psycopg


def empty_everything(database_url: str) -> None:
    """Truncate every table that has rows but what migrations put there, as the login that owns them."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            """
            DO $$
            DECLARE candidate text; filled text[] := '{}'; has_rows boolean;
            BEGIN
                FOR candidate IN
                    SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'
                    AND tablename NOT IN ('django_migrations', 'django_content_type', 'auth_permission', 'whatsapp_rate')
                LOOP
                    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', candidate) INTO has_rows;
                    IF has_rows THEN filled := filled || candidate; END IF;
                END LOOP;
                IF filled <> '{}' THEN
                    EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' RESTART IDENTITY CASCADE';
                END IF;
            END $$
            """
        )
