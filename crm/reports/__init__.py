"""What the dashboard shows: hourly rollups, the figures made of them, and their drawing."""
