// SPDX-License-Identifier: MIT
// usage: client NODE_JSON INTERFACE... prints what dhcp_ask() gets as JSON; client NODE_JSON INTERFACE probe ADDRESS
// what arp_probe() says.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "firmware/node/dhcp/dhcp_arp.h"
#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/inventory/inventory.h"

static bool find_interface(const char *name, struct interface *ret, struct err *err) {
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { 0 };
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
        if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the MAC of %s", name);
        *ret = (struct interface){ .index = (int)if_nametoindex(name) };
        memcpy(ret->name, request.ifr_name, sizeof ret->name);
        memcpy(ret->mac.bytes, request.ifr_hwaddr.sa_data, sizeof ret->mac.bytes);
        return true;
}

static json_t *address_json(uint32_t address) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        return json_string(address ? text : "");
}

static json_t *routes_json(const struct lease *lease) {
        json_t *list = json_array();
        for (size_t i = 0; i < lease->route_count; i++) {
                char to[ADDRESS_TEXT_SIZE], gateway[ADDRESS_TEXT_SIZE];
                address_format(lease->routes[i].to, to);
                address_format(lease->routes[i].gateway, gateway);
                json_array_append_new(list, json_sprintf("%s/%d via %s", to, lease->routes[i].prefix, gateway));
        }
        return list;
}

static json_t *lease_json(const struct lease *lease) {
        json_t *search = json_array(), *dns = json_array();
        for (size_t i = 0; i < lease->search_count; i++)
                json_array_append_new(search, json_string(lease->search[i]));
        for (size_t i = 0; i < lease->dns_count; i++)
                json_array_append_new(dns, address_json(lease->dns[i]));
        return json_pack("{ss so so so si so ss ss si si so so ss ss si}", "interface", lease->interface, "address",
                         address_json(lease->address), "server", address_json(lease->server), "router",
                         address_json(lease->router), "prefix", lease->prefix, "dns", dns, "hostname", lease->hostname,
                         "domain", lease->domain, "lease_s", (int)lease->lease_s, "mtu", lease->mtu, "routes",
                         routes_json(lease), "search", search, "node", lease->node, "role", lease->role, "id",
                         lease->id);
}

static bool read_inventory(const char *path, struct arena *arena, struct inventory *ret, struct err *err) {
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        auto_buf text = { .max = 1 << 20 };
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(&text, fd, err) && inventory_read(buf_text(&text), text.size, arena, ret, err);
}

static bool probe(const struct facts *facts, const char *text, json_t **ret, struct err *err) {
        uint32_t address;
        bool taken;
        struct mac by;
        char mac[MAC_TEXT_SIZE];
        if (!address_parse(text, &address))
                return fail(err, ERR_USAGE, 0, "%s is no address", text);
        if (!arp_probe(facts, &facts->interfaces[0], address, &taken, &by, err))
                return false;
        mac_format(&by, mac);
        *ret = json_pack("{ss}", "by", taken ? mac : "");
        return true;
}

static bool ask(struct facts *facts, json_t **ret, struct err *err) {
        auto_buf notes = { 0 };
        if (!dhcp_ask(facts, &notes, err))
                return false;
        json_t *leases = json_array();
        for (size_t i = 0; i < facts->lease_count; i++)
                json_array_append_new(leases, lease_json(&facts->leases[i]));
        *ret = json_pack("{so ss}", "leases", leases, "notes", buf_text(&notes));
        return true;
}

static bool run(char **argv, json_t **ret, struct err *err) {
        static struct arena arena;
        static struct inventory inventory;
        static struct facts facts = { .inventory = &inventory, .uuid = "00112233-4455-6677-8899-aabbccddeeff" };
        if (!read_inventory(*argv++, &arena, &inventory, err))
                return false;
        for (; *argv && strcmp(*argv, "probe") != 0; argv++)
                if (!find_interface(*argv, &facts.interfaces[facts.interface_count++], err))
                        return false;
        return *argv ? probe(&facts, argv[1], ret, err) : ask(&facts, ret, err);
}

int main(int argc, char **argv) {
        auto_err err = { 0 };
        json_t *json = NULL;
        if (argc < 3 || !run(argv + 1, &json, &err)) {
                fprintf(stderr, "%s\n", err.text ? err.text : "usage: client NODE_JSON INTERFACE... [probe ADDRESS]");
                return 1;
        }
        json_dumpf(json, stdout, JSON_INDENT(1));
        putchar('\n');
        return 0;
}
