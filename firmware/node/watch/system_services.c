// SPDX-License-Identifier: MIT
#include "firmware/node/watch/system_services.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/run.h"
#include "firmware/node/network/network_writer.h"

bool services_decide_again(const char *name, struct err *err) {
        const struct network_writer *writer = network_writer_find(name);
        assert(writer);
        // In one transaction, so that their order holds.
        return run_command(err, "systemctl", "restart", "kiln-node.service", writer->service, NULL);
}

bool services_start_missing(struct err *err) {
        return run_command(err, "systemctl", "--no-block", "start", "default.target", NULL);
}

// The names among what `systemctl --failed` prints, with marks or without.
bool services_list_failed(struct buf *ret) {
        auto_buf text = { .max = 64 << 10 };
        auto_err ignored = { 0 };
        char *save = NULL;
        const struct run list = { .argv = (const char *const[]){ "systemctl", "--failed", "--no-legend", "--no-pager",
                                                                 "--full", NULL },
                                  .output = &text };
        if (!run(&list, &ignored))
                return false;
        if (text.size == 0)
                return true;
        for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                while (*line && !isalnum((unsigned char)*line) && *line != '-')
                        line++;
                size_t size = strcspn(line, " ");
                if (size == 0)
                        continue;
                if (ret->size > 0)
                        buf_append_char(ret, ' ');
                buf_append(ret, line, size);
        }
        return true;
}
