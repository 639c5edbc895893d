"""Nobody but the owner of the tables turns the triggers of history aside.

django-pgtrigger lets any role tell a trigger to look away (`pgtrigger.ignore`), and its triggers write to whatever the
caller's search path calls by the name of a table, a temporary one first. Each trigger that a migration installs brings
that back, as every installation replaces the function they share; so `migrate` ends with `guard`, and nothing serves
while `is_guarded` is false.
"""

from typing import Any

from tenants.rls import OWNER_ROLE

# What acts as the owner is a migration, or a function of theirs (forget_history); a login that may become the owner is not.
_MAY_IGNORE = f"""
BEGIN
  IF current_user <> '{OWNER_ROLE}' THEN
    RETURN FALSE;
  END IF;
  RETURN COALESCE(trigger_name = ANY (NULLIF(current_setting('pgtrigger.ignore', true), '')::text[]), FALSE);
END
"""
_GUARD = f"""
CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean
  LANGUAGE plpgsql STABLE
AS $guard${_MAY_IGNORE}$guard$;
DO $$
DECLARE
  of_trigger regprocedure;
BEGIN
  FOR of_trigger IN
    SELECT DISTINCT tgfoid::regprocedure FROM pg_trigger WHERE tgname LIKE 'pgtrigger\\_%' AND NOT tgisinternal
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_temp', of_trigger);
  END LOOP;
END $$;
"""
_IS_GUARDED = """
SELECT NOT EXISTS (
  SELECT FROM pg_proc WHERE oid = to_regprocedure('public._pgtrigger_should_ignore(name)') AND prosrc <> %s
) AND NOT EXISTS (
  SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE t.tgname LIKE 'pgtrigger\\_%%' AND NOT t.tgisinternal
    AND NOT COALESCE('search_path=public, pg_temp' = ANY (p.proconfig), FALSE)
)
"""


def guard(cursor: Any) -> None:
    """Have every trigger there is listen to the owner alone; acting as the owner, and as often as one likes."""
    cursor.execute(_GUARD)


def is_guarded(cursor: Any) -> bool:
    """Whether that holds for all triggers there are; anybody may ask."""
    cursor.execute(_IS_GUARDED, [_MAY_IGNORE])
    return bool(cursor.fetchone()[0])
