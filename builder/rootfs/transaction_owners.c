// SPDX-License-Identifier: MIT
// Whom a package's files belong to: users that roles declare are made when the first package needs them, after its %pre
// had its turn; for one that nobody makes, librpm takes root, and says so without a word of the package or file.
#include <fcntl.h>
#include <rpm/header.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "rootfs/account_tables.h"
#include "rootfs/transaction_worker.h"
#include "rootfs/tree.h"
#include "sandbox/container.h"

enum { SHOWN_FILES = 3, OWNER_NAME_BYTES = 64 };

static bool lists_name(Header header, rpmTagVal tag, const char *name) {
        struct rpmtd_s data;
        const char *next;
        bool found = false;
        if (!headerGet(header, tag, &data, HEADERGET_MINMEM))
                return false;
        while (!found && (next = rpmtdNextString(&data)))
                found = strcmp(next, name) == 0;
        rpmtdFreeData(&data);
        return found;
}

static bool owns_file(Header header, const char *name) {
        return lists_name(header, RPMTAG_FILEUSERNAME, name) || lists_name(header, RPMTAG_FILEGROUPNAME, name);
}

static bool add_missing_users(const struct worker *worker, struct accounts *accounts, struct err *err) {
        const struct layer_users *users = worker->transaction.users;
        for (size_t i = 0; i < users->count; i++) {
                size_t length;
                const struct user *user = users->items[i];
                bool is_needed =
                    owns_file(worker->unpacked, user->name) && !account_find(&accounts->passwd, user->name, &length);
                if (is_needed && !accounts_add(accounts, user, worker->transaction.source_date_epoch, err))
                        return false;
        }
        return true;
}

// Without the package that brings passwd(5) there is nothing to add to.
bool worker_add_users(const struct worker *worker, struct err *err) {
        auto_close int root = -1;
        struct accounts accounts = { 0 };
        if (worker->transaction.users->count == 0 || !fs_exists(AT_FDCWD, "/etc/passwd"))
                return true;
        bool ok = fs_open_dir(AT_FDCWD, "/", &root, err) && accounts_read(root, &accounts, err) &&
                  add_missing_users(worker, &accounts, err) && accounts_save(root, &accounts, err);
        accounts_release(&accounts);
        return ok;
}

// ---- the warning ----

// "user svc does not exist - using root": the word, and the name between.
static bool parse_missing_owner(const char *text, rpmTagVal *ret_tag, char ret_name[static OWNER_NAME_BYTES]) {
        char word[8];
        int end = 0;
        if (sscanf(text, "%7s %63s does not exist - using %n", word, ret_name, &end) != 2 || end == 0)
                return false;
        bool is_user = strcmp(word, "user") == 0;
        *ret_tag = is_user ? RPMTAG_FILEUSERNAME : RPMTAG_FILEGROUPNAME;
        return is_user || strcmp(word, "group") == 0;
}

static void list_files_of(Header header, rpmTagVal tag, const char *name, struct buf *ret) {
        struct rpmtd_s owners, paths;
        size_t count = 0;
        if (!headerGet(header, tag, &owners, HEADERGET_MINMEM))
                return;
        if (!headerGet(header, RPMTAG_FILENAMES, &paths, HEADERGET_EXT)) {
                rpmtdFreeData(&owners);
                return;
        }
        for (const char *owner, *path; (owner = rpmtdNextString(&owners)) && (path = rpmtdNextString(&paths));) {
                if (strcmp(owner, name) != 0)
                        continue;
                if (count++ >= SHOWN_FILES)
                        continue;
                if (ret->size)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, path);
        }
        if (count > SHOWN_FILES)
                buf_printf(ret, " and %zu more", count - SHOWN_FILES);
        rpmtdFreeData(&owners);
        rpmtdFreeData(&paths);
}

bool worker_tell_missing_owner(struct worker *worker, const char *text) {
        char name[OWNER_NAME_BYTES];
        rpmTagVal tag;
        auto_buf files = { 0 };
        if (!worker->unpacked || !parse_missing_owner(text, &tag, name))
                return false;
        auto_free char *nevra = headerGetAsString(worker->unpacked, RPMTAG_NEVRA);
        const char *kind = "group";
        if (tag == RPMTAG_FILEUSERNAME)
                kind = "user";
        list_files_of(worker->unpacked, tag, name, &files);
        auto_free char *message = xasprintf(
            "%s: no package has made %s %s by now, so that root has %s, without setuid and setgid; declare it "
            "in `users` of the role",
            nevra, kind, name, buf_text(&files));
        if (!strings_have(&worker->told, message)) { // librpm says it for each file
                strings_add_once(&worker->arena, &worker->told, arena_strdup(&worker->arena, message));
                container_warn(worker->channel, message);
        }
        return true;
}
