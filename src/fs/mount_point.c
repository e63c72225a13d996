#include "fs/mount_point.h"

#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_TYPE "fuse.tsfs"

/* realpath(3) of the folder that path is in, and its last component. */
static char *resolve_missing(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return NULL;
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    char *parent, *out = NULL;
    if (slash && slash != copy)
        *slash = '\0';
    parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
    if (parent && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
        asprintf(&out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0)
        out = NULL;
    free(parent);
    free(copy);
    return out;
}

/* Whether the file system last mounted on path (absolute, no links) is a tsfs. */
static bool is_tsfs(const char *path)
{
    bool found = false;
    FILE *f = setmntent("/proc/self/mounts", "r");
    if (!f)
        return false;
    struct mntent entry, *e;
    char text[8192];
    while ((e = getmntent_r(f, &entry, text, sizeof(text))) != NULL)
        if (strcmp(e->mnt_dir, path) == 0)
            found = strcmp(e->mnt_type, FS_TYPE) == 0;
    endmntent(f);
    return found;
}

/* A mount whose daemon has died: nobody can use it, and it is only in the way. */
static bool unmount_dead(const char *path)
{
    if (umount2(path, MNT_DETACH) == 0)
        return true;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-z", "-q", path, (char *)NULL);
        _exit(127);
    }
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool inside(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strcmp(folder, "/") == 0 || (strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

static int check_device(struct tsfs_error *err)
{
    struct stat st;
    if (stat("/dev/fuse", &st) < 0 || !S_ISCHR(st.st_mode))
        return tsfs_error_set(err, -ENODEV,
                              "/dev/fuse is missing: load the kernel's module (modprobe fuse), or give the "
                              "container the device");
    return 0;
}

/* *out: absolute, also when the folder cannot be entered because its daemon is dead. */
static int check_mount(const char *mount, char **out, struct tsfs_error *err)
{
    struct stat st;
    if (stat(mount, &st) < 0 && errno == ENOTCONN) {
        char *path = resolve_missing(mount);
        bool freed = path && is_tsfs(path) && unmount_dead(path);
        free(path);
        if (!freed)
            return tsfs_error_set(
                err, -ENOTCONN,
                "%s: a file system whose daemon has died is mounted there (fusermount3 -u -z %s)", mount,
                mount);
    }
    if (stat(mount, &st) < 0)
        return tsfs_error_set(err, -errno, "%s: %s", mount, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return tsfs_error_set(err, -ENOTDIR, "%s: not a folder", mount);
    *out = realpath(mount, NULL);
    if (!*out)
        return tsfs_error_set(err, -errno, "%s: %s", mount, strerror(errno));
    if (is_tsfs(*out))
        return tsfs_error_set(err, -EBUSY, "%s: a tsfs is mounted there already", mount);
    return 0;
}

int fs_mount_point_check(const char *data, const char *mount, char **data_out, char **mount_out,
                         struct tsfs_error *err)
{
    *data_out = *mount_out = NULL;
    int r = check_device(err);
    if (r == 0)
        r = check_mount(mount, mount_out, err);
    if (r < 0)
        return r;
    *data_out = realpath(data, NULL);
    if (!*data_out && errno == ENOENT)
        *data_out = resolve_missing(data);
    if (!*data_out)
        return tsfs_error_set(err, -errno, "%s: %s", data, strerror(errno));
    struct stat st;
    if (stat(*data_out, &st) == 0 && !S_ISDIR(st.st_mode))
        return tsfs_error_set(err, -ENOTDIR, "%s: not a folder", data);
    if (inside(*mount_out, *data_out) || inside(*data_out, *mount_out))
        return tsfs_error_set(err, -EINVAL, "DATA (%s) and MOUNT (%s) must not lie inside each other",
                              *data_out, *mount_out);
    return 0;
}
