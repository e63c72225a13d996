/* Prints a Parquet file as our reader sees it, in the form of parquet_write's .jsonl: parquet_dump FILE
 *
 * Integers come as stored: a timestamp in the file's unit (kind t followed by 3, 6 or 9), a decimal unscaled.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "parquet/reader.h"

static int file_pread(void *ctx, void *buf, size_t n, uint64_t offset)
{
    return tsfs_io_read_all(*(int *)ctx, buf, n, (off_t)offset);
}

static void print_text(struct tsfs_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
}

static void print_cell(const struct tsfs_vec *v, size_t row)
{
    if (tsfs_vec_null(v, row)) {
        printf("null");
        return;
    }
    size_t i = v->constant ? 0 : row;
    putchar('"');
    switch (v->type) {
    case TSFS_BOOLEAN: printf("%s", v->b[i] ? "true" : "false"); break;
    case TSFS_DOUBLE:
        if (isnan(v->d[i]))
            printf("nan");
        else
            printf("0x%016llx", (unsigned long long)v->i[i]);
        break;
    case TSFS_VARCHAR: print_text(v->s[i]); break;
    default: printf("%lld", (long long)v->i[i]);
    }
    putchar('"');
}

static void print_head(const struct tsfs_pq_info *info)
{
    putchar('[');
    for (uint32_t i = 0; i < info->ncolumns; i++) {
        const struct tsfs_pq_column *c = &info->columns[i];
        printf("%s[\"", i ? "," : "");
        print_text(c->name);
        printf("\",\"");
        if (c->logical == TSFS_PQ_DECIMAL)
            printf("m%u", c->scale);
        else if (c->logical == TSFS_PQ_TIMESTAMP || c->logical == TSFS_PQ_TIME)
            printf("t%u", 3 * (unsigned)c->unit);
        else
            printf("%s", c->type == TSFS_BOOLEAN   ? "b"
                         : c->type == TSFS_DOUBLE  ? "d"
                         : c->type == TSFS_VARCHAR ? "s"
                                                   : "i");
        printf("\"]");
    }
    printf("]\n");
}

struct open_column {
    struct tsfs_pq_chunk *chunk;
    const struct tsfs_pq_page *pages;
    uint32_t npages, page;
    struct tsfs_vec vec;
    struct tsfs_arena arena;
};

static int print_group(struct tsfs_pq_reader *r, uint32_t g, struct tsfs_pq_scratch *s,
                       struct tsfs_error *err)
{
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(r);
    struct open_column *columns = calloc(info->ncolumns, sizeof(*columns));
    int code = columns ? 0 : -ENOMEM;
    for (uint32_t c = 0; c < info->ncolumns && !code; c++) {
        tsfs_arena_init(&columns[c].arena, NULL);
        code = tsfs_pq_chunk_open(r, g, c, &columns[c].chunk, err);
        if (!code)
            columns[c].pages = tsfs_pq_chunk_pages(columns[c].chunk, &columns[c].npages);
        columns[c].page = UINT32_MAX;
    }
    for (uint64_t row = 0; row < info->groups[g].nrows && !code; row++) {
        for (uint32_t c = 0; c < info->ncolumns && !code; c++) {
            struct open_column *o = &columns[c];
            uint32_t p = tsfs_pq_chunk_find(o->chunk, row);
            if (p != o->page) {
                tsfs_arena_reset(&o->arena);
                code = tsfs_pq_chunk_read(o->chunk, p, s, &o->arena, &o->vec, err);
                o->page = p;
            }
            putchar(c ? ',' : '[');
            if (!code)
                print_cell(&o->vec, row - o->pages[p].first_row);
        }
        printf("]\n");
    }
    for (uint32_t c = 0; columns && c < info->ncolumns; c++) {
        tsfs_pq_chunk_close(columns[c].chunk);
        tsfs_arena_free(&columns[c].arena);
    }
    free(columns);
    return code;
}

int main(int argc, char **argv)
{
    struct tsfs_pq_reader *r = NULL;
    struct tsfs_pq_scratch *s = NULL;
    struct tsfs_error err = {0};
    struct stat st;
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &st)) {
        fprintf(stderr, "usage: parquet_dump FILE\n");
        return 2;
    }
    struct tsfs_pq_input in = {file_pread, &fd, (uint64_t)st.st_size};
    int code = tsfs_pq_reader_open(in, &r, &err);
    if (!code)
        code = tsfs_pq_scratch_create(&s);
    if (!code)
        print_head(tsfs_pq_reader_info(r));
    for (uint32_t g = 0; !code && g < tsfs_pq_reader_info(r)->ngroups; g++)
        code = print_group(r, g, s, &err);
    tsfs_pq_scratch_free(s);
    tsfs_pq_reader_close(r);
    close(fd);
    if (code)
        fprintf(stderr, "%s\n", err.message);
    return code != 0;
}
