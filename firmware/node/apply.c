// SPDX-License-Identifier: MIT
#include "firmware/node/apply.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "firmware/node/rename.h"
#include "firmware/node/root/root.h"
#include "firmware/node/written.h"

static bool set_hostname(const char *hostname, struct err *err) {
        char now[HOSTNAME_SIZE + 1] = "";
        if (gethostname(now, sizeof now - 1) == 0 && strcmp(now, hostname) == 0)
                return true;
        if (sethostname(hostname, strlen(hostname)) < 0)
                return fail(err, ERR_SYSTEM, errno, "set the host name to %s", hostname);
        return true;
}

static bool apply_files(int root, const struct plan *plan, struct applied *ret, struct err *err) {
        bool changed;
        for (size_t i = 0; i < plan->file_count; i++) {
                const struct plan_file *file = &plan->files[i];
                const struct root_file wanted = { file->path, file->content, file->size,
                                                  file->mode, file->uid,     file->gid };
                if (!root_write(root, &wanted, &changed, err))
                        return false;
                ret->changed += changed;
        }
        for (size_t i = 0; i < plan->remove_count; i++) {
                if (!root_remove(root, plan->removes[i], &changed, err))
                        return false;
                ret->changed += changed;
        }
        return true;
}

bool apply_plan(int root, bool is_live, const struct plan *plan, struct applied *ret, struct err *err) {
        assert(root >= 0 && plan->hostname);
        *ret = (struct applied){ 0 };
        struct written written __attribute__((cleanup(written_release)));
        size_t removed = 0, renamed = 0;
        if (!written_begin(root, plan, &written, err) || !apply_files(root, plan, ret, err) ||
            !written_end(root, plan, &written, &removed, err))
                return false;
        if (is_live && !rename_cards(plan->renames, plan->rename_count, &renamed, err))
                return false;
        ret->changed += removed + renamed;
        return !is_live || set_hostname(plan->hostname, err);
}
