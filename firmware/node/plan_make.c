// SPDX-License-Identifier: MIT
#include "firmware/node/plan_make.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/network/network_compose.h"
#include "firmware/node/network/network_record.h"
#include "firmware/node/network/network_writer.h"
#include "firmware/node/plan_secrets.h"
#include "firmware/node/plan_templates.h"
#include "firmware/node/state/state_plan.h"

// ---- the files that every node has ----

static void add_hostname(struct plan *plan, const struct identity *identity) {
        auto_buf text = { 0 };
        buf_printf(&text, "%s\n", identity->hostname);
        plan_add_file(plan, "/etc/hostname", 0644, &text);
        plan->hostname = arena_strdup(&plan->arena, identity->hostname);
}

#define LOCAL_HOSTS                                                                                                    \
        "127.0.0.1 localhost localhost.localdomain\n"                                                                  \
        "::1 localhost localhost.localdomain ip6-localhost ip6-loopback\n"

static void add_hosts(struct plan *plan, const struct facts *facts, const struct identity *identity) {
        auto_buf text = { 0 };
        char address[ADDRESS_TEXT_SIZE];
        address_format(identity->address, address);
        buf_append_text(&text, LOCAL_HOSTS);
        // The inventory's lines name every node of the cluster, but neither a stranger nor the domain of a node.
        if (!identity->node)
                buf_printf(&text, "%s %s\n", address, identity->hostname);
        else if (strcmp(identity->hostname, identity->node->name) != 0)
                buf_printf(&text, "%s %s %s\n", address, identity->hostname, identity->node->name);
        const char *hosts = facts->inventory->hosts;
        buf_append_text(&text, hosts);
        if (*hosts && hosts[strlen(hosts) - 1] != '\n')
                buf_append_char(&text, '\n');
        plan_add_file(plan, "/etc/hosts", 0644, &text);
}

static void add_domain(struct buf *text, const char *domain) {
        if (text->size == 0)
                buf_append_text(text, "search");
        buf_printf(text, " %s", domain);
}

// Option 119's list stands for option 15's domain (RFC 3397, 4).
static void put_search(struct buf *text, const struct lease *lease, const struct net_link *link) {
        if (lease && lease->search_count == 0 && *lease->domain)
                add_domain(text, lease->domain);
        for (size_t i = 0; lease && i < lease->search_count; i++)
                add_domain(text, lease->search[i]);
        for (size_t i = 0; i < link->search_count; i++)
                add_domain(text, link->search[i]);
        if (text->size)
                buf_append_char(text, '\n');
}

static void add_resolver(struct plan *plan, const struct identity *identity, const struct net_link *link) {
        auto_buf text = { 0 }, servers = { 0 }, unasked = { 0 };
        name_servers_list_all(&identity->name_servers, &servers);
        if (servers.size == 0)
                return;
        name_servers_list_unasked(&identity->name_servers, &unasked);
        if (unasked.size) {
                auto_free char *note = xasprintf("programs ask three name servers, and not %s", buf_text(&unasked));
                plan_add_note(plan, note);
        }
        put_search(&text, identity->lease, link);
        buf_append_text(&text, buf_text(&servers));
        plan_add_file(plan, "/etc/resolv.conf", 0644, &text);
}

// ---- what the console shows above "login:" ----

#define ISSUE_MARK "kiln: "

// agetty(8) expands what follows a backslash. Every line has the mark, by which add_issue() knows it again.
static void issue_line(struct buf *text, const char *line) {
        buf_append_text(text, ISSUE_MARK);
        for (; *line; line++) {
                if (*line == '\\')
                        buf_append_char(text, '\\');
                buf_append_char(text, *line);
                if (*line == '\n')
                        buf_append_text(text, ISSUE_MARK);
        }
        buf_append_char(text, '\n');
}

// /etc/issue shows who the machine is above "login:", since getty clears the screen and with it the report. Lines of an
// earlier run are replaced; what the image says stays below them.
static void add_issue(struct plan *plan, const struct facts *facts, struct buf *text) {
        const char *line = facts->issue;
        while (line && *line) {
                size_t size = strcspn(line, "\n");
                if (line[size] == '\n')
                        size++;
                bool is_ours = strncmp(line, ISSUE_MARK, sizeof ISSUE_MARK - 1) == 0;
                if (!is_ours)
                        buf_append(text, line, size);
                line += size;
        }
        plan_add_file(plan, "/etc/issue", 0644, text);
}

// Keys may be filled in on the node.
static bool nobody_gets_in(const struct facts *facts) {
        const struct inventory *inventory = facts->inventory;
        for (size_t i = 0; i < inventory->template_count; i++)
                if (strstr(inventory->templates[i].path, "authorized_keys"))
                        return false;
        return facts->nobody_gets_in;
}

static void note_way_in(struct plan *plan, const struct facts *facts) {
        if (nobody_gets_in(facts))
                plan_add_note(plan,
                              "nobody can log in here: no user has a password or an SSH key; `kiln check` of the "
                              "cluster file says where keys are put, and kiln.debug on the kernel command line gives a "
                              "shell");
}

static void issue_way_in(struct buf *issue, const struct facts *facts) {
        if (nobody_gets_in(facts))
                issue_line(issue, "nobody can log in here: the image has no key and no password (kiln check)");
}

static void add_identity_issue(struct plan *plan, const struct facts *facts, const struct identity *identity,
                               const struct net_link *link) {
        const struct inventory *inventory = facts->inventory;
        auto_buf text = { 0 }, line = { 0 }, secrets = { 0 };
        char address[ADDRESS_TEXT_SIZE];
        address_format(identity->address, address);
        buf_printf(&line, "%s, role %s of cluster %s, %s on %s, build %s", identity->hostname, inventory->role,
                   inventory->cluster, address, link->name, inventory->build);
        issue_line(&text, buf_text(&line));
        plan_add_secrets(plan, facts, &secrets);
        if (secrets.size > 0)
                issue_line(&text, buf_text(&secrets));
        issue_way_in(&text, facts);
        add_issue(plan, facts, &text);
}

static void add_values(struct plan *plan, const struct facts *facts, const struct identity *identity,
                       const struct net_link *link) {
        char text[64], address[ADDRESS_TEXT_SIZE];
        plan_add_value(plan, "hostname", identity->hostname, identity->hostname_source);
        plan_add_value(plan, "role", facts->inventory->role, "image");
        address_format(identity->address, address);
        snprintf(text, sizeof text, "%s/%d", address, identity->prefix);
        plan_add_value(plan, "ip", text, identity->address_source);
        if (identity->id) {
                snprintf(text, sizeof text, "%d", identity->id);
                plan_add_value(plan, "id", text, identity->id_source);
        }
        plan_add_value(plan, "interface", link->name, identity->interface_source);
        mac_format(&identity->interface->mac, text);
        plan_add_value(plan, "mac", text, "machine");
}

static void add_renames(struct plan *plan, const struct facts *facts, const struct network *network) {
        for (size_t i = 0; i < facts->interface_count; i++) {
                const struct interface *card = &facts->interfaces[i];
                for (size_t j = 0; j < network->link_count; j++) {
                        const struct net_link *link = &network->links[j];
                        bool is_its_link = link->pin_name && mac_equal(&link->mac, &card->mac);
                        if (is_its_link && strcmp(card->name, link->name) != 0)
                                plan_add_rename(plan, card->index, card->name, link->name);
                }
        }
}

// The links of the identity, in the style of the image's distribution; returns the one that has its address.
static const struct net_link *plan_network(struct plan *plan, const struct facts *facts,
                                           const struct network_writer *writer, const struct network *network) {
        for (size_t i = 0; i < network->note_count; i++)
                plan_add_note(plan, network->notes[i]);
        add_renames(plan, facts, network);
        size_t cards = 0;
        for (size_t i = 0; i < network->link_count; i++)
                cards += network->links[i].kind == NET_CARD;
        plan->names_other_cards = cards > 1 || plan->rename_count > 0 || network->note_count > 0;
        writer->node(network, plan);
        network_record_add(plan, network, plan->identity, writer->name);
        return &network->links[network->primary];
}

static bool fill_plan(struct plan *plan, const struct facts *facts, const struct network_writer *writer,
                      const struct identity *identity, const struct network *network, struct err *err) {
        plan->identity = identity;
        plan->vlan_id = network->links[network->primary].vlan_id;
        add_hostname(plan, identity);
        add_hosts(plan, facts, identity);
        const struct net_link *link = plan_network(plan, facts, writer, network);
        add_resolver(plan, identity, link);
        add_identity_issue(plan, facts, identity, link);
        add_values(plan, facts, identity, link);
        if (*identity->note)
                plan_add_note(plan, identity->note);
        plan_add_remove(plan, "/run/kiln/refused");
        plan_add_remove(plan, RECONSIDER_PATH);
        return state_plan(facts, identity, plan, err) && plan_add_templates(plan, facts, identity, link->name, err);
}

// A refused machine looks again when something changes; but not one whose address another machine has: when that one is
// switched off for an hour, its twin must not become it.
static void add_reconsidering(struct plan *plan, const struct facts *facts) {
        auto_buf text = { 0 };
        plan_add_remove(plan, NETWORK_RECORD_PATH);
        if (*facts->conflict) {
                plan_add_remove(plan, RECONSIDER_PATH);
                return;
        }
        buf_printf(&text, "%s\n", plan->refusal);
        plan_add_file(plan, RECONSIDER_PATH, 0644, &text);
}

static void fill_refused_plan(struct plan *plan, const struct facts *facts, const struct network_writer *writer,
                              struct err *err) {
        auto_buf text = { 0 }, found = { 0 }, issue = { 0 }, hosts = { 0 };
        // A template or the state disk may have failed when much of the plan was there.
        plan->file_count = plan->value_count = plan->remove_count = plan->rename_count = 0;
        plan->refusal = plan_shown_text(plan, err->text);
        err_release(err);
        identity_describe(facts, &found);
        plan->found = plan_shown_text(plan, buf_text(&found));
        plan->lacks_card = facts->interface_count == 0;
        buf_printf(&text, "%s\n%s\n", plan->refusal, plan->found);
        plan_add_file(plan, "/run/kiln/refused", 0644, &text);
        issue_line(&issue, "REFUSED, the cluster's services stay down:");
        issue_line(&issue, plan->refusal);
        issue_line(&issue, plan->found);
        issue_way_in(&issue, facts);
        add_issue(plan, facts, &issue);
        buf_append_text(&hosts, LOCAL_HOSTS);
        plan_add_file(plan, "/etc/hosts", 0644, &hosts);
        writer->refused(facts, plan);
        add_reconsidering(plan, facts);
        plan->hostname = "localhost";
        plan->identity = NULL;
        plan_add_value(plan, "role", facts->inventory->role, "image");
}

static void note_bootif(struct plan *plan, const struct facts *facts, const struct cmdline *cmdline) {
        char mac[MAC_TEXT_SIZE], note[128];
        bool found = !cmdline->has_bootif || facts->interface_count == 0;
        for (size_t i = 0; i < facts->interface_count; i++)
                found |= mac_equal(&facts->interfaces[i].mac, &cmdline->bootif);
        mac_format(&cmdline->bootif, mac);
        snprintf(note, sizeof note, "BOOTIF=%s is no card of this machine", mac);
        if (!found)
                plan_add_note(plan, note);
}

static void note_drive_address(struct plan *plan, const char *what, const struct address *address, int prefix) {
        char shown[ADDRESS_ANY_TEXT_SIZE], note[128], length[16] = "";
        address_format_any(address, shown);
        if (prefix >= 0)
                snprintf(length, sizeof length, "/%d", prefix);
        snprintf(note, sizeof note, "the config drive adds %s %s%s to what the inventory says", what, shown, length);
        plan_add_note(plan, note);
}

// Whoever can plug in a stick can lead a node's requests elsewhere: that is seen at least.
static void note_drive_network(struct plan *plan, const struct cmdline *cmdline) {
        for (size_t i = cmdline->dns_count - cmdline->drive_dns_count; i < cmdline->dns_count; i++) {
                struct address server = address_of_ipv4(cmdline->dns[i]);
                note_drive_address(plan, "name server", &server, -1);
        }
        for (size_t i = cmdline->dns6_count - cmdline->drive_dns6_count; i < cmdline->dns6_count; i++)
                note_drive_address(plan, "name server", &cmdline->dns6[i], -1);
        for (size_t i = cmdline->route_count - cmdline->drive_route_count; i < cmdline->route_count; i++)
                note_drive_address(plan, "route", &cmdline->routes[i].to, cmdline->routes[i].prefix);
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                for (size_t j = 0; ip->from == FROM_CONFIG_DRIVE && j < ip->dns_count; j++) {
                        struct address server = address_of_ipv4(ip->dns[j]);
                        note_drive_address(plan, "name server", &server, -1);
                }
                struct address gateway = address_of_ipv4(ip->gateway);
                if (ip->from == FROM_CONFIG_DRIVE && ip->gateway)
                        note_drive_address(plan, "gateway", &gateway, -1);
        }
}

bool plan_make(const struct facts *facts, struct plan *ret, struct err *err) {
        assert(facts->inventory && facts->command_line);
        *ret = (struct plan){ 0 };
        const struct network_writer *writer = network_writer_find(facts->inventory->network_writer);
        if (!writer)
                return fail(err, ERR_SCHEMA, 0, "unknown network_writer \"%s\"", facts->inventory->network_writer);
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        struct identity *identity = arena_alloc(&ret->arena, sizeof *identity);
        bool ok = cmdline_read(facts, cmdline, err) && identity_decide(facts, cmdline, identity, &ret->need, err);
        for (size_t i = 0; i < cmdline->note_count; i++)
                plan_add_note(ret, cmdline->notes[i]);
        note_bootif(ret, facts, cmdline);
        note_way_in(ret, facts);
        if (ok && identity->node)
                note_drive_network(ret, cmdline);
        if (ok && *facts->conflict)
                ok = fail(err, ERR_IDENTITY, 0, "%s", facts->conflict);
        auto_free struct network *network = xcalloc(1, sizeof *network);
        ok = ok && network_compose(facts, cmdline, identity, network, err);
        if (!ok || !fill_plan(ret, facts, writer, identity, network, err))
                fill_refused_plan(ret, facts, writer, err);
        return true;
}
