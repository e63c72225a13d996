/* Time zones by name, as the system's tz database has them. */
#ifndef TSFS_BASE_ZONE_H
#define TSFS_BASE_ZONE_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct tsfs_zone;

/* "Europe/Berlin"; found zones stay in memory for good.  -ENOENT: no such zone, or no tz database; -ENOMEM.
 * Any thread. */
TSFS_MUST_CHECK int tsfs_zone_find(struct tsfs_str name, const struct tsfs_zone **out);

/* The instant at which clocks of the zone show `local` (counted as if it were UTC): the earlier of two;
 * -ERANGE if they skip it or the instant does not fit. */
TSFS_MUST_CHECK int tsfs_zone_to_utc(const struct tsfs_zone *zone, int64_t local, int64_t *utc);

#endif
