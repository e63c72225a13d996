/* Parser throughput on lines like those of TSBS devops cpu-only: ten tags, ten fields, 19-digit time; fed in
 * pieces of 128 KiB as cat writes them.  One JSON line a kind of field. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/time.h"
#include "ingest/line_protocol.h"

#define POINTS 100000
#define PIECE  (128u << 10)
#define ROUNDS 7

static const char *const field_names[] = {"usage_user",   "usage_system",    "usage_idle",    "usage_nice",
                                          "usage_iowait", "usage_irq",       "usage_softirq", "usage_steal",
                                          "usage_guest",  "usage_guest_nice"};

static int make(struct tsfs_buf *out, const char *kind)
{
    uint64_t x = 88172645463325252u;
    int rc = 0;
    for (unsigned i = 0; i < POINTS && rc == 0; i++) {
        unsigned host = i % 100;
        rc = tsfs_buf_printf(
            out,
            "cpu,hostname=host_%u,region=eu-central-1,datacenter=eu-central-1a,rack=%u,"
            "os=Ubuntu16.10,arch=x64,team=SF,service=%u,service_version=1,service_environment="
            "production ",
            host, host * 7 % 100, host % 20);
        for (int f = 0; f < 10 && rc == 0; f++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            unsigned v = (unsigned)(x >> 33);
            const char *sep = f < 9 ? "," : " ";
            if (kind[0] == 'i')
                rc = tsfs_buf_printf(out, "%s=%ui%s", field_names[f], v % 101, sep);
            else if (kind[0] == 'd')
                rc = tsfs_buf_printf(out, "%s=%.2f%s", field_names[f], v % 10000 / 100.0, sep);
            else
                rc = tsfs_buf_printf(out, "%s=%.17g%s", field_names[f], (double)(x >> 11) * 0x1p-47, sep);
        }
        if (rc == 0)
            rc = tsfs_buf_printf(out, "%lld\n", 1763798400000000000LL + (long long)(i / 100) * 10000000000LL);
    }
    return rc;
}

int main(void)
{
    static const char *const kinds[] = {"integers", "decimals", "17 digits"};
    struct tsfs_lp_batch batch;
    tsfs_lp_batch_init(&batch, NULL);
    int bad = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct tsfs_buf text = {0};
        bad |= make(&text, kinds[k]) != 0;
        int64_t best = INT64_MAX;
        for (int round = 0; round < ROUNDS && !bad; round++) {
            size_t points = 0;
            int64_t start = tsfs_time_monotonic();
            for (size_t at = 0; at < text.len;) {
                size_t n = text.len - at < PIECE ? text.len - at : PIECE, used;
                if (tsfs_lp_parse(&batch, text.data + at, n, 0, false, &used, NULL) != 0 || used == 0)
                    break;
                at += used;
                points += batch.npoints;
            }
            int64_t took = tsfs_time_monotonic() - start;
            best = took < best ? took : best;
            bad |= points != POINTS;
        }
        printf("{\"bench\":\"line_protocol\",\"fields\":\"%s\",\"bytes_per_line\":%.0f,\"ns_per_line\":%.1f,"
               "\"gb_per_s\":%.2f}\n",
               kinds[k], (double)text.len / POINTS, (double)best / POINTS, (double)text.len / (double)best);
        tsfs_buf_free(&text);
    }
    tsfs_lp_batch_free(&batch);
    return bad;
}
