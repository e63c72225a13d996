/* The tree, as a table.
 *
 * Every kind of folder has one array of rows below: a name, what opening it means, whose attributes and text
 * it shows, and how the kernel may share it.  Lookup, readdir, stat, open, mkdir and rename all go by
 * these rows, so a file is added to the tree by adding its row (and, for a new meaning, an fs_kind).
 *
 * All rows are listed by readdir: none of these files blocks or starts work when it is only read.  A
 * `query` file that nobody has written to is empty, `write` cannot be read at all. */
#include <string.h>

#include "fs/fs_priv.h"

#define FOLDER(NAME, KIND, FILE, SLOT, MOST, OWNED)                                                          \
    {                                                                                                        \
        .name = NAME, .kind = KIND, .sharing = FS_SHARED, .file = FILE, .most = MOST, .slot = SLOT,          \
        .owned = OWNED                                                                                       \
    }
#define WRITE(SLOT)                                                                                          \
    {                                                                                                        \
        .name = "write", .kind = FS_WRITE, .sharing = FS_OWN, .file = TSFS_FILE_WRITE, .most = 0222,         \
        .slot = SLOT, .owned = true                                                                          \
    }
#define QUERY(NAME, FORMAT, SLOT)                                                                            \
    {                                                                                                        \
        .name = NAME, .kind = FS_QUERY, .sharing = FS_OWN, .file = TSFS_FILE_QUERY, .most = 0666,            \
        .format = FORMAT, .slot = SLOT, .owned = true                                                        \
    }
#define TEXT(NAME, FILE, SLOT)                                                                               \
    {                                                                                                        \
        .name = NAME, .kind = FS_TEXT, .sharing = FS_SHARED_IDLE, .file = FILE, .most = 0444, .slot = SLOT   \
    }
#define STORE(NAME, FILE, SLOT)                                                                              \
    {                                                                                                        \
        .name = NAME, .kind = FS_STORE, .sharing = FS_SHARED_IDLE, .file = FILE, .most = 0666, .slot = SLOT  \
    }

/* Slot 0 is the object's own folder, cold/ and .tsfs/ have slot 1; no two rows of one object share one. */
static const struct fs_row self_root = FOLDER(NULL, FS_ROOT, TSFS_FILE_SELF, 0, 0777, true);
static const struct fs_row self_database = FOLDER(NULL, FS_DATABASE, TSFS_FILE_SELF, 0, 0777, true);
static const struct fs_row self_table = FOLDER(NULL, FS_TABLE, TSFS_FILE_SELF, 0, 0777, true);

static const struct fs_row root_rows[] = {
    QUERY("query", TSFS_QUERY_CSV, 2),
    QUERY("query.json", TSFS_QUERY_JSON, 3),
    QUERY("query.txt", TSFS_QUERY_TEXT, 4),
    FOLDER(".tsfs", FS_DAEMON, TSFS_FILE_VERSION, 1, 0555, false),
};

static const struct fs_row database_rows[] = {
    WRITE(5),
    QUERY("query", TSFS_QUERY_CSV, 2),
    QUERY("query.json", TSFS_QUERY_JSON, 3),
    QUERY("query.txt", TSFS_QUERY_TEXT, 4),
    STORE("config", TSFS_FILE_CONFIG, 6),
    TEXT("errors", TSFS_FILE_ERRORS, 7),
};

static const struct fs_row table_rows[] = {
    WRITE(5),
    QUERY("query", TSFS_QUERY_CSV, 2),
    QUERY("query.json", TSFS_QUERY_JSON, 3),
    QUERY("query.txt", TSFS_QUERY_TEXT, 4),
    TEXT("schema", TSFS_FILE_SCHEMA, 8),
    STORE("config", TSFS_FILE_CONFIG, 6),
    TEXT("stats", TSFS_FILE_STATS, 9),
    TEXT("errors", TSFS_FILE_ERRORS, 7),
    TEXT("rejected", TSFS_FILE_REJECTED, 10),
    STORE("ctl", TSFS_FILE_CTL, 11),
    FOLDER("cold", FS_COLD, TSFS_FILE_COLD, 1, 0755, false),
};

static const struct fs_row daemon_rows[] = {
    TEXT("status", TSFS_FILE_STATUS, 12),
    TEXT("metrics", TSFS_FILE_METRICS, 13),
    TEXT("errors", TSFS_FILE_ERRORS, 7),
    TEXT("version", TSFS_FILE_VERSION, 14),
};

const struct fs_row fs_row_segment = {
    .kind = FS_SEGMENT,
    .sharing = FS_SHARED,
    .file = TSFS_FILE_COLD,
    .most = 0444,
};
const struct fs_row fs_row_spool = {
    .kind = FS_SPOOL,
    .sharing = FS_OWN,
    .file = TSFS_FILE_COLD,
    .most = 0644,
    .slot = 15,
};

#define ROWS(ROWS_OF) .rows = ROWS_OF, .nrows = sizeof(ROWS_OF) / sizeof(ROWS_OF[0])

static const struct fs_layout layouts[] = {
    [FS_ROOT] = {.self = &self_root, ROWS(root_rows), .holds_objects = true},
    [FS_DATABASE] = {.self = &self_database, ROWS(database_rows), .holds_objects = true},
    [FS_TABLE] = {.self = &self_table, ROWS(table_rows)},
    [FS_COLD] = {.self = &table_rows[sizeof(table_rows) / sizeof(table_rows[0]) - 1], .holds_segments = true},
    [FS_DAEMON] = {.self = &root_rows[sizeof(root_rows) / sizeof(root_rows[0]) - 1], ROWS(daemon_rows)},
};
#define NLAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct fs_layout *fs_layout_of(enum fs_kind kind)
{
    return (size_t)kind < NLAYOUTS ? &layouts[kind] : NULL;
}

const struct fs_row *fs_row_find(const struct fs_layout *layout, const char *name)
{
    for (unsigned i = 0; i < layout->nrows; i++)
        if (strcmp(layout->rows[i].name, name) == 0)
            return &layout->rows[i];
    return NULL;
}

const struct fs_row *fs_row_of_object(enum tsfs_node_kind kind)
{
    switch (kind) {
    case TSFS_NODE_ROOT: return &self_root;
    case TSFS_NODE_DATABASE: return &self_database;
    case TSFS_NODE_TABLE: break;
    }
    return &self_table;
}

bool fs_name_reserved(const char *name)
{
    for (size_t i = 0; i < NLAYOUTS; i++)
        if (i != FS_DAEMON && fs_row_find(&layouts[i], name))
            return true;
    return false;
}
