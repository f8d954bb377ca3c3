// SPDX-License-Identifier: MIT
#include "firmware/node/network/network_writer.h"

#include <assert.h>

#include "firmware/node/network/network_internal.h"

static const struct network_writer *const writers[] = { &network_writer_networkd, &network_writer_ifcfg,
                                                        &network_writer_manager };

const struct network_writer *network_writer_find(const char *name) {
        assert(name);
        for (size_t i = 0; i < lengthof(writers); i++)
                if (strcmp(writers[i]->name, name) == 0)
                        return writers[i];
        return NULL;
}
