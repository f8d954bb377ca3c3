// SPDX-License-Identifier: MIT
#include "artefact/image/file_list.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/stand_in.h"

json_t *json_text(const char *text) {
        json_t *string = json_string(text);
        if (string)
                return string;
        auto_buf escaped = { 0 };
        for (const char *next = text; *next; next++) {
                if ((unsigned char)*next < 0x80)
                        buf_append_char(&escaped, *next);
                else
                        buf_printf(&escaped, "\\x%02x", (unsigned char)*next);
        }
        return json_string(buf_text(&escaped));
}

static const char *file_type(const struct stat *stat) {
        switch (stat->st_mode & S_IFMT) {
        case S_IFDIR:
                return "directory";
        case S_IFLNK:
                return "link";
        case S_IFCHR:
                if (stat->st_rdev == 0)
                        return "whiteout";
                return "character";
        case S_IFBLK:
                return "block";
        case S_IFIFO:
                return "fifo";
        case S_IFSOCK:
                return "socket";
        default:
                return "file";
        }
}

void file_list_add(struct buf *list, const struct file_record *record) {
        const struct stat *stat = record->stat;
        auto_free char *path = xasprintf("/%s", record->path);
        char mode[8];
        snprintf(mode, sizeof mode, "%04o", stat->st_mode & 07777);
        json_t *object = json_pack("{so ss sI sI ss}", "path", json_text(path), "mode", mode, "uid",
                                   (json_int_t)stat->st_uid, "gid", (json_int_t)stat->st_gid, "type", file_type(stat));
        if (S_ISREG(stat->st_mode)) {
                json_object_set_new(object, "size", json_integer((json_int_t)stat->st_size));
                json_object_set_new(object, "sha256", json_string(record->sha256));
        } else if (S_ISLNK(stat->st_mode)) {
                json_object_set_new(object, "target", json_text(record->target));
        } else if ((S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode)) && stat->st_rdev != 0) {
                char device[32];
                snprintf(device, sizeof device, "%u:%u", major(stat->st_rdev), minor(stat->st_rdev));
                json_object_set_new(object, "device", json_string(device));
        }
        if (record->capabilities)
                json_object_set_new(object, "capabilities", json_string(record->capabilities));
        auto_free char *line = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(object);
        assert(line); // every text in it is UTF-8 by now
        buf_append_text(list, line);
        buf_append_char(list, '\n');
}

static bool scan_entry(const struct fs_entry *entry, void *context, struct err *err) {
        char target[PATH_MAX] = "";
        char sha256[DIGEST_HEX_SIZE] = "";
        if (S_ISLNK(entry->stat->st_mode)) {
                ssize_t length = readlinkat(entry->parent, entry->name, target, sizeof target - 1);
                if (length < 0)
                        return fail(err, ERR_SYSTEM, errno, "read link %s", entry->path);
                target[length] = '\0';
        }
        struct stat stat = *entry->stat;
        if (!stand_in_resolve(entry->parent, entry->name, &stat, err) ||
            (S_ISREG(stat.st_mode) && !digest_file("sha256", entry->parent, entry->name, sha256, err)))
                return false;
        file_list_add(context, &(struct file_record){ entry->path, &stat, sha256, target, NULL });
        return true;
}

bool file_list_scan(int dir, struct buf *list, struct err *err) { return fs_walk(dir, scan_entry, list, err); }
