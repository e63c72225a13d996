/* Names of the format's numbers, for messages. */
#include "parquet/types.h"

const char *tsfs_pq_physical_name(enum tsfs_pq_physical physical)
{
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return (unsigned)physical < sizeof(names) / sizeof(*names) ? names[physical] : "unknown";
}

const char *tsfs_pq_encoding_name(int encoding)
{
    static const char *const names[] = {"PLAIN",
                                        "GROUP_VAR_INT",
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT",
                                        "ALP"};
    return (unsigned)encoding < sizeof(names) / sizeof(*names) ? names[encoding] : "unknown";
}

const char *tsfs_pq_codec_name(int codec)
{
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
    return (unsigned)codec < sizeof(names) / sizeof(*names) ? names[codec] : "unknown";
}
