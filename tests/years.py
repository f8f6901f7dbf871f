"""Which years the package knows the working days of."""

from policies.calendar import seed_year

LAST_KNOWN_YEAR = max(year for year in range(2004, 2100) if seed_year(year))
