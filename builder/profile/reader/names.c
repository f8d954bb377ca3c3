// SPDX-License-Identifier: MIT
#include "profile/reader/names.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *unit_name(struct arena *arena, const char *name) {
        static const char *const suffixes[] = { ".service",   ".socket", ".target", ".timer", ".path",  ".mount",
                                                ".automount", ".swap",   ".slice",  ".scope", ".device" };
        const char *dot = strrchr(name, '.');
        for (size_t i = 0; dot && i < lengthof(suffixes); i++)
                if (strcmp(dot, suffixes[i]) == 0)
                        return arena_strdup(arena, name);
        return arena_printf(arena, "%s.service", name);
}

const char *lower_text(struct arena *arena, const char *text) {
        char *copy = arena_strdup(arena, text_or(text, ""));
        for (char *byte = copy; *byte; byte++)
                *byte = (char)tolower((unsigned char)*byte);
        return copy;
}

bool mac_read(const char *text, unsigned char ret[static 6]) {
        if (strlen(text) != strlen("00:00:00:00:00:00"))
                return false;
        char separator = text[2];
        if (separator != ':' && separator != '-')
                return false;
        for (size_t i = 0; i < 6; i++) {
                const char *pair = text + 3 * i;
                bool is_last = i == 5;
                if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
                        return false;
                if (!is_last && pair[2] != separator)
                        return false;
                ret[i] = (unsigned char)strtoul((char[]){ pair[0], pair[1], '\0' }, NULL, 16);
        }
        return true;
}

const char *mac_text(struct arena *arena, const unsigned char mac[static 6]) {
        return arena_printf(arena, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

struct in_addr prefix_mask(int prefix) {
        assert(prefix >= 0 && prefix <= 32);
        if (prefix == 0) // a shift by all 32 bits is undefined
                return (struct in_addr){ 0 };
        return (struct in_addr){ htonl(UINT32_MAX << (32 - prefix)) };
}

const char *in_addr_text(struct arena *arena, struct in_addr address) {
        char text[INET_ADDRSTRLEN] = "";
        if (address.s_addr != 0)
                inet_ntop(AF_INET, &address, text, sizeof text);
        return arena_strdup(arena, text);
}

bool ipv6_subnet_read(const char *text, struct in6_addr *ret, int *ret_prefix) {
        char address[INET6_ADDRSTRLEN];
        size_t size = strcspn(text, "/");
        if (text[size] != '/' || size >= sizeof address)
                return false;
        memcpy(address, text, size);
        address[size] = '\0';
        *ret_prefix = atoi(text + size + 1);
        return inet_pton(AF_INET6, address, ret) == 1 && *ret_prefix >= 1 && *ret_prefix <= 128;
}

bool ipv6_in_subnet(const struct in6_addr *address, const struct in6_addr *subnet, int prefix) {
        assert(prefix >= 0 && prefix <= 128);
        for (int i = 0; i < prefix; i++)
                if ((address->s6_addr[i / 8] ^ subnet->s6_addr[i / 8]) & 0x80 >> i % 8)
                        return false;
        return true;
}

bool ipv6_is_link_local(const struct in6_addr *address) {
        return address->s6_addr[0] == 0xfe && (address->s6_addr[1] & 0xc0) == 0x80;
}

const char *ipv6_text(struct arena *arena, const char *text) {
        struct in6_addr address;
        char shown[INET6_ADDRSTRLEN];
        if (inet_pton(AF_INET6, text, &address) != 1)
                return "";
        return arena_strdup(arena, inet_ntop(AF_INET6, &address, shown, sizeof shown));
}
