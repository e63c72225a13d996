/* Reading and printing of doubles, ns each; one JSON line a kind of number, the C library beside us. */
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/time.h"

#define N 200000

static char texts[N][40];
static unsigned lengths[N];
static double values[N];

int main(void)
{
    static const char *const kinds[] = {"2 decimals", "integers", "17 digits", "any bits"};
    for (int k = 0; k < 4; k++) {
        uint64_t x = 88172645463325252u;
        for (int i = 0; i < N; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            uint64_t any = (x & ~(UINT64_C(0x7ff) << 52)) | (x >> 3) % 2047 << 52;
            memcpy(&values[i], &any, sizeof(any));
            if (k == 0)
                values[i] = (double)(x >> 40) / 100;
            else if (k == 1)
                values[i] = (double)(x >> 40);
            else if (k == 2)
                values[i] = (double)(x >> 11) * 0x1p-46;
            lengths[i] = tsfs_num_format_double(values[i], texts[i]);
            texts[i][lengths[i]] = 0;
        }
        int64_t start = tsfs_time_monotonic();
        double sum = 0, other = 0;
        for (int i = 0; i < N; i++) {
            double v = 0;
            if (tsfs_num_parse_double((struct tsfs_str){texts[i], lengths[i]}, &v) != 0)
                return 1;
            sum += v;
        }
        int64_t parse = tsfs_time_monotonic() - start;
        start = tsfs_time_monotonic();
        for (int i = 0; i < N; i++)
            other += strtod(texts[i], NULL);
        int64_t library = tsfs_time_monotonic() - start;
        char out[TSFS_NUM_TEXT_MAX], scratch[64];
        unsigned bytes = 0;
        start = tsfs_time_monotonic();
        for (int i = 0; i < N; i++)
            bytes += tsfs_num_format_double(values[i], out);
        int64_t format = tsfs_time_monotonic() - start;
        start = tsfs_time_monotonic();
        for (int i = 0; i < N; i++)
            bytes += (unsigned)snprintf(scratch, sizeof(scratch), "%.17g", values[i]);
        int64_t printf17 = tsfs_time_monotonic() - start;
        printf(
            "{\"bench\":\"num\",\"numbers\":\"%s\",\"parse_ns\":%.1f,\"strtod_ns\":%.1f,\"format_ns\":%.1f,"
            "\"printf17_ns\":%.1f,\"check\":%d}\n",
            kinds[k], (double)parse / N, (double)library / N, (double)format / N, (double)printf17 / N,
            sum == other && bytes > 0);
    }
    return 0;
}
