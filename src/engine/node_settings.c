/* The settings of a node, and how long a table's partitions are.
 *
 * `partition = auto` leaves the length to the first write, because only the data can say: a day is right for
 * what comes every few seconds, but a file a day of one point each is nearly all form, and slow to write and
 * to ask.  The first write(2) that brings a table points is looked at once, and the length is stored as if it
 * had been written to config; from then on nothing moves.
 *
 * A partition that is too short costs bytes; one that is too long costs a large rewrite whenever late points
 * come, and there is no way back.  So a long one is chosen only when the write plainly shows history that is
 * thin: its lines are some dozen at least, span a good stretch of time, and are few a day where they are
 * densest (the fullest window of a quarter of them counts, so a lone point of 1970, or a pause, makes
 * nothing look thin).  A write that reaches to the present says little about what is to come and needs to
 * span more.  Files sorted by series show one series at first: the densities below are so low that a hundred
 * more like it still make files of a few million rows.
 *
 * Partitions begin at multiples of their length since 1970, whatever the data; so a year of 365 days cuts the
 * record of a calendar year in two, nearly always, which costs a twentieth of its bytes.  Hence five years
 * for data that are thin enough. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/time.h"
#include "engine/engine_priv.h"

#define LINES_LEAST   64                     /* fewer lines say nothing */
#define LIVE_RECENT   (2 * TSFS_NS_PER_DAY)  /* lines up to now, that is */
#define LIVE_SPAN     (30 * TSFS_NS_PER_DAY) /* ... must span so much, ... */
#define LIVE_LONGEST  (30 * TSFS_NS_PER_DAY) /* ... and then get no longer partitions than this */
#define RETENTION_MIN 10                     /* partitions that the cold retention must have room for */

static const struct {
    int64_t length;
    double density; /* rows a day, at most */
    int64_t span;   /* of the lines, at least */
} lengths[] = {
    {3650 * TSFS_NS_PER_DAY, 10, 300 * TSFS_NS_PER_DAY},
    {1825 * TSFS_NS_PER_DAY, 30, 20 * TSFS_NS_PER_DAY}, /* one hourly series, or some daily ones */
    {365 * TSFS_NS_PER_DAY, 100, 10 * TSFS_NS_PER_DAY},
    {30 * TSFS_NS_PER_DAY, 2000, 2 * TSFS_NS_PER_DAY},
};

int64_t partition_length(const struct partition_sample *sample, int64_t now,
                         const struct tsfs_settings *settings)
{
    int64_t recent = tsfs_time_minus(now, LIVE_RECENT);
    bool live = sample->newest > recent;
    double density = (double)sample->rows * (double)TSFS_NS_PER_DAY / (sample->span > 1 ? sample->span : 1);
    if (sample->rows < LINES_LEAST || (live && sample->span < (double)LIVE_SPAN))
        return TSFS_NS_PER_DAY;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        if (density <= lengths[i].density && sample->span >= (double)lengths[i].span &&
            lengths[i].length <= settings->cold_retention / RETENTION_MIN &&
            (!live || lengths[i].length <= LIVE_LONGEST))
            return lengths[i].length;
    return TSFS_NS_PER_DAY;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void partition_sample_times(int64_t *times, size_t n, struct partition_sample *out)
{
    size_t quarter = n / 4;
    double least = HUGE_VAL; /* the shortest time that holds a quarter of them */
    *out = (struct partition_sample){.rows = n, .newest = INT64_MIN};
    if (quarter == 0)
        return;
    qsort(times, n, sizeof(*times), by_time);
    for (size_t i = 0; i + quarter < n; i++) {
        double window = (double)times[i + quarter] - (double)times[i];
        least = window < least ? window : least;
    }
    out->span = least * (double)n / (double)quarter;
    out->newest = times[n - 1];
}

struct tsfs_settings node_settings(struct tsfs_node *node)
{
    pthread_mutex_lock(&node->meta_lock);
    struct tsfs_settings s = node->settings;
    pthread_mutex_unlock(&node->meta_lock);
    return s;
}

bool node_partition_open(struct tsfs_node *node)
{
    pthread_mutex_lock(&node->meta_lock);
    bool open = node->settings.partition == TSFS_PARTITION_AUTO;
    pthread_mutex_unlock(&node->meta_lock);
    return open;
}

void settings_window(const struct tsfs_settings *settings, int64_t now, int64_t *oldest, int64_t *newest)
{
    *oldest = tsfs_time_minus(tsfs_time_minus(now, settings->memory_retention), settings->cold_retention);
    *newest = tsfs_time_plus(now, settings->future_limit);
}

int node_fix_partition(struct tsfs_node *node, int64_t *length, struct tsfs_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&node->meta_lock);
    if (node->settings.partition == TSFS_PARTITION_AUTO) {
        struct tsfs_settings next = node->settings;
        next.partition = *length;
        rc = node_save_settings(node, &next, false);
        if (rc == 0) {
            node->settings.partition = *length;
            node->config_mtime = tsfs_time_now();
        }
    }
    *length = node->settings.partition;
    pthread_mutex_unlock(&node->meta_lock);
    return rc < 0 ? tsfs_error_set(err, rc, "cannot save the length of the partitions: %s", strerror(-rc))
                  : 0;
}

/* Retention drops whole partitions: one that is longer than all that is kept would never let go in time.
 * Below a month nobody minds. */
static bool outlasts(const struct tsfs_settings *s)
{
    return s->partition > 30 * TSFS_NS_PER_DAY &&
           s->partition > tsfs_time_plus(s->memory_retention, s->cold_retention);
}

int node_change_settings(struct tsfs_node *node, struct tsfs_str text, bool partition_fixed,
                         struct tsfs_error *err)
{
    if (node->engine->options.read_only)
        return -EROFS;
    char length[TSFS_TIME_TEXT_MAX];
    pthread_mutex_lock(&node->meta_lock); /* two that change different keys at once both count */
    struct tsfs_settings next = node->settings;
    int rc = tsfs_settings_parse(&next, text, err);
    if (rc == 0 && partition_fixed && next.partition == TSFS_PARTITION_AUTO)
        next.partition = node->settings.partition; /* what auto has come to */
    unsigned n = rc == 0 ? tsfs_duration_format(next.partition, length) : 0;
    bool late = rc == 0 && outlasts(&next);
    if (rc == 0 && partition_fixed && next.partition != node->settings.partition)
        rc = tsfs_error_set(err, -EBUSY, "partition cannot be changed while the table has points");
    if (rc == 0 && late && !partition_fixed)
        rc = tsfs_error_set(err, -EINVAL,
                            "partition = %.*s is longer than points are kept (memory_retention and "
                            "cold_retention), and retention drops whole partitions",
                            (int)n, length);
    late = late && rc == 0 && !outlasts(&node->settings);
    if (rc == 0) {
        rc = node_save_settings(node, &next, false);
        if (rc < 0)
            tsfs_error_set(err, rc, "cannot save the settings: %s", strerror(-rc));
    }
    if (rc == 0) {
        node->settings = next;
        node->config_mtime = tsfs_time_now();
    }
    pthread_mutex_unlock(&node->meta_lock);
    if (rc == 0 && late) {
        struct tsfs_error why = {0};
        tsfs_error_set(
            &why, 0,
            "points go with their partition, and those of this table are %.*s long: they stay up to "
            "so much longer than cold_retention says",
            (int)n, length);
        node_report(node, "config", &why, (struct tsfs_str){NULL, 0});
    }
    return rc;
}
