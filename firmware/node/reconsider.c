// SPDX-License-Identifier: MIT
#include "firmware/node/reconsider.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/node/decide.h"
#include "firmware/node/machine/machine.h"
#include "firmware/node/watch/system_services.h"

// DHCP alone is asked again after RETRY_MS, and then ever more seldom; a card or a link is a reason to look at once.
enum { RETRY_MS = 30000, RETRY_MAX_MS = 300000, CALM_MS = 1000 };

static bool open_link_events(int *ret_fd, struct err *err) {
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
        auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
        if (fd < 0 || bind(fd, (const void *)&address, sizeof address) < 0)
                return fail(err, ERR_SYSTEM, errno, "listen to the kernel's events of network links");
        *ret_fd = take_fd(fd);
        return true;
}

static void forget_link_events(int fd) {
        char event[8192];
        while (recv(fd, event, sizeof event, 0) > 0 || errno == ENOBUFS)
                ;
}

// Events come in crowds: waits until there was none for a moment. Whether there was one at all.
static bool wait_for_link_event(int fd, int timeout_ms) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        if (poll(&wait, 1, timeout_ms) <= 0)
                return false;
        do
                forget_link_events(fd);
        while (poll(&wait, 1, CALM_MS) > 0);
        return true;
}

enum outcome { STILL_REFUSED, ADDRESS_TAKEN, ACCEPTED };

static bool look_again(const char *root, const char *command_line, enum outcome *ret, void (*tell)(const char *text),
                       struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        struct decision decision __attribute__((cleanup(decision_release))) = { 0 };
        auto_buf text = { 0 };
        if (!machine_open(root, command_line, &machine, err) || !decide(&machine, &decision, err))
                return false;
        *ret = STILL_REFUSED;
        if (*machine.facts.conflict) {
                *ret = ADDRESS_TAKEN;
                buf_printf(&text, "kiln-node: this machine stays refused: %s\n", machine.facts.conflict);
        } else if (!decision.plan.refusal) {
                *ret = ACCEPTED;
                buf_printf(&text, "kiln-node: this machine is %s now; its services are started\n",
                           decision.plan.hostname);
        }
        if (text.size)
                tell(buf_text(&text));
        return *ret != ACCEPTED ||
               (services_decide_again(machine.inventory.network_writer, err) && services_start_missing(err));
}

static int longer_retry_ms(int retry_ms) {
        if (retry_ms >= RETRY_MAX_MS / 2)
                return RETRY_MAX_MS;
        return 2 * retry_ms;
}

bool reconsider(const char *root, const char *command_line, void (*tell)(const char *text), bool *ret_accepted,
                struct err *err) {
        assert(root && tell && ret_accepted);
        auto_close int events = -1;
        enum outcome outcome = STILL_REFUSED;
        if (!open_link_events(&events, err))
                return false;
        for (int retry_ms = RETRY_MS; outcome == STILL_REFUSED;) {
                if (wait_for_link_event(events, retry_ms))
                        retry_ms = RETRY_MS;
                else
                        retry_ms = longer_retry_ms(retry_ms);
                if (!look_again(root, command_line, &outcome, tell, err))
                        return false;
                forget_link_events(events); // asking DHCP sets cards up
        }
        *ret_accepted = outcome == ACCEPTED;
        return true;
}
