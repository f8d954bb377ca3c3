// SPDX-License-Identifier: MIT
#include "serve/boot_speaker.h"

#include <assert.h>

#include "serve/serve_place.h"

static bool has_link_elsewhere(const struct cluster *cluster, const struct node *node) {
        for (size_t i = 0; i < node->link_count; i++)
                if (node->links[i].network >= cluster->network_count)
                        return true;
        return false;
}

bool boot_may_speak(const struct boot_state *state, const struct cluster *cluster, struct in_addr sender,
                    const struct boot_event *event) {
        assert(state && cluster && event);
        const struct boot_machine *owner = boot_state_by_assigned(state, sender);
        const struct boot_machine *subject = boot_state_find(state, event);
        if (owner)
                return subject == owner;
        if (cluster->network_count == 0 || serve_place_network(cluster, sender))
                return true;
        return subject && subject->node && has_link_elsewhere(cluster, subject->node);
}
