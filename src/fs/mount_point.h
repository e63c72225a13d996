/* Checks of DATA and MOUNT before anything is opened, with messages for people. */
#ifndef TSFS_FS_MOUNT_POINT_H
#define TSFS_FS_MOUNT_POINT_H

#include "base/error.h"

/* The absolute paths, returned owned.  data need not exist yet, its parent must.  -errno and a sentence:
 * mount is missing, no folder, has a file system of this kind on it already; one lies inside the other; no
 * /dev/fuse. A mount left behind by a daemon that died is taken away. */
TSFS_MUST_CHECK int fs_mount_point_check(const char *data, const char *mount, char **data_out,
                                         char **mount_out, struct tsfs_error *err);

#endif
