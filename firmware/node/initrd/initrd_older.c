// SPDX-License-Identifier: MIT
// The leave to boot an older build, from the config drive.
#include <assert.h>

#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/config_drive/config_drive.h"
#include "firmware/node/initrd/initrd.h"

static bool older_is_allowed(const struct facts *facts, struct err *err) {
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        if (!cmdline_read_drive(facts, cmdline, err))
                return false;
        return cmdline->allow_older || fail(err, ERR_REFERENCE, 0, "no config drive says kiln.allow_older");
}

bool initrd_older_allowed(const char *command_line, struct buf *ret_device, struct err *err) {
        assert(command_line && ret_device);
        struct arena arena = { 0 };
        auto_free struct facts *facts = xcalloc(1, sizeof *facts);
        facts->command_line = command_line;
        config_drive_find(&config_drive_machine, facts, &arena);
        bool ok = older_is_allowed(facts, err);
        if (ok)
                buf_append_text(ret_device, facts->config_device);
        arena_release(&arena);
        return ok;
}
