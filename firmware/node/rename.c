// SPDX-License-Identifier: MIT
#include "firmware/node/rename.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void set_request_name(char field[static IFNAMSIZ], const char *name) {
        memset(field, 0, IFNAMSIZ);
        memcpy(field, name, strnlen(name, IFNAMSIZ - 1));
}

static bool set_flags(int fd, const char *name, short flags, struct err *err) {
        struct ifreq request = { .ifr_flags = flags };
        set_request_name(request.ifr_name, name);
        return ioctl(fd, SIOCSIFFLAGS, &request) == 0 || fail(err, ERR_SYSTEM, errno, "set %s up or down", name);
}

// The card is found by its index: an earlier run that was killed may have left it another name than the plan says.
static bool rename_card(int fd, int index, const char *to, struct err *err) {
        char from[IF_NAMESIZE];
        if (!if_indextoname((unsigned)index, from))
                return fail(err, ERR_SYSTEM, errno, "find network card %d, to call it %s", index, to);
        if (strcmp(from, to) == 0)
                return true;
        struct ifreq request = { 0 };
        set_request_name(request.ifr_name, from);
        if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the flags of %s", from);
        short flags = request.ifr_flags;
        bool is_up = flags & IFF_UP;
        if (is_up && !set_flags(fd, from, (short)(flags & ~IFF_UP), err))
                return false;
        set_request_name(request.ifr_newname, to);
        if (ioctl(fd, SIOCSIFNAME, &request) == 0)
                return !is_up || set_flags(fd, to, flags, err);
        (void)fail(err, ERR_SYSTEM, errno, "call %s %s", from, to);
        auto_err ignored = { 0 }; // the first reason counts
        if (is_up)
                (void)!set_flags(fd, from, flags, &ignored);
        return false;
}

// Whether another card of the list still has the name.
static bool is_in_the_way(const struct plan_rename *renames, size_t count, const struct plan_rename *card) {
        for (size_t i = 0; i < count; i++)
                if (&renames[i] != card && (int)if_nametoindex(renames[i].to) == card->index)
                        return true;
        return false;
}

bool rename_cards(const struct plan_rename *renames, size_t count, size_t *ret_renamed, struct err *err) {
        assert(renames || count == 0);
        *ret_renamed = 0;
        if (count == 0)
                return true;
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a socket");
        for (size_t i = 0; i < count; i++) {
                char aside[IFNAMSIZ];
                snprintf(aside, sizeof aside, "kiln-r%d", renames[i].index % 100000000);
                if (is_in_the_way(renames, count, &renames[i]) && !rename_card(fd, renames[i].index, aside, err))
                        return false;
        }
        for (size_t i = 0; i < count; i++, ++*ret_renamed)
                if (!rename_card(fd, renames[i].index, renames[i].to, err))
                        return false;
        return true;
}
