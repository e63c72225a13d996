/* A file-call table for crash tests: passes everything on to the operating system, fails what it is told to
 * fail, and remembers what of each file and folder has been synced, so that a loss of power can be played:
 * what was synced stays, and of everything else a random part.
 *
 * The model.  Data is lost in pages of 4096 bytes: of each page written since the file's last sync, either
 * the new or the last synced content survives, at random.  A file's size after the loss is anything between
 * the synced one and the present one (as the surviving pages allow); truncation that was not synced may or
 * may not have happened.  A file whose entry in its folder was not synced is gone or not, at random; one that
 * was unlinked stays gone.  Renames are passed on and taken as lasting (use it where renames are followed by
 * a sync of the folder). */
#ifndef TSFS_TESTS_FAULT_IO_H
#define TSFS_TESTS_FAULT_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Puts the table in force (and resets it).  root: the folder below which files are watched, absolute. */
void fault_io_begin(const char *root, uint64_t seed);
void fault_io_end(void); /* the operating system's table again */

/* The next writes: after `bytes` more bytes, writes fail with error (negative errno) after writing what still
 * fits (a short write first, as on a full disk).  SIZE_MAX = never. */
void fault_io_limit_writes(size_t bytes, int error);
/* Every write passes on at most n bytes at a time.  0 = all. */
void fault_io_short_writes(size_t n);
/* From now on these calls fail with error; 0 = work again. */
void fault_io_fail_sync(int error);
void fault_io_fail_truncate(int error);

/* Plays a loss of power: close every descriptor first.  Changes the files below root. */
void fault_io_power_loss(void);

/* How often fsync or fdatasync was called on files, or syncfs at all. */
unsigned fault_io_syncs(void);

#endif
