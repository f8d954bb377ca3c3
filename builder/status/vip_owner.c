// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "status/internal.h"

// After a connection the kernel knows whose card answered; no privilege is needed to ask it.
static bool find_neighbour(struct in_addr address, char ret_mac[static 18]) {
        FILE *table = fopen("/proc/net/arp", "re");
        char line[256], ip[64], mac[64], wanted[INET_ADDRSTRLEN];
        unsigned type, flags;
        bool found = false;
        if (!table)
                return false;
        inet_ntop(AF_INET, &address, wanted, sizeof wanted);
        while (!found && fgets(line, sizeof line, table)) {
                bool is_entry = sscanf(line, "%63s 0x%x 0x%x %63s", ip, &type, &flags, mac) == 4;
                found = is_entry && strcmp(ip, wanted) == 0 && (flags & 2) != 0 && strlen(mac) == 17;
        }
        fclose(table);
        if (found)
                memcpy(ret_mac, mac, 18);
        return found;
}

static bool has_card(const struct node *node, const char *mac) {
        char text[18];
        if (!node->has_mac)
                return false;
        snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", node->mac[0], node->mac[1], node->mac[2],
                 node->mac[3], node->mac[4], node->mac[5]);
        return strcmp(text, mac) == 0;
}

const struct node *vip_owner(const struct cluster *cluster, struct in_addr address) {
        char mac[18];
        if (!find_neighbour(address, mac))
                return NULL;
        for (size_t i = 0; i < cluster->node_count; i++)
                if (has_card(&cluster->nodes[i], mac))
                        return &cluster->nodes[i];
        return NULL;
}
