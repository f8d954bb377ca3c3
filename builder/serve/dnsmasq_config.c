// SPDX-License-Identifier: MIT
#include "serve/dnsmasq_config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/mistake.h"

enum { TFTP_AT_ONCE = 1000, LEASES_MAX = 65536 };

bool dnsmasq_check_value(const char *what, const char *value, const char *option, struct err *err) {
        assert(what && value && option);
        static const char special[] = "\",#\\*";
        size_t size = strlen(value);
        bool is_plain = size > 0 && value[0] != ' ' && value[size - 1] != ' ';
        for (const char *at = value; *at; at++)
                if ((unsigned char)*at < ' ' || *at == 0x7f || strchr(special, *at))
                        is_plain = false;
        if (is_plain)
                return true;
        auto_buf shown = { 0 };
        mistake_printable(&shown, value, size);
        fail(err, ERR_USAGE, 0, "%s `%s` cannot stand in dnsmasq's configuration", what, buf_text(&shown));
        return hint(err, "%s gives another one, without %s, control characters and spaces at its ends", option,
                    special);
}

// ---- which loader a machine gets ----

// Client system architectures (RFC 4578, IANA's "Processor Architecture Types"). 9 is what many firmwares say that
// mean 7.
enum { ARCH_BIOS = 0, ARCH_EFI_X64 = 7, ARCH_EFI_BC = 9 };

static const char *bios_loader(const struct boot_files *files) {
        if (files->has_undionly)
                return "undionly.kpxe"; // goes on by HTTP
        if (files->has_pxelinux)
                return "pxelinux.0";
        return NULL;
}

// shim first: nothing in DHCP says whether Secure Boot is on, and shim starts with it and without.
static const char *efi_loader(const struct boot_files *files) {
        if (files->has_shim && files->has_grub)
                return "shimx64.efi";
        if (files->has_ipxe_efi)
                return "ipxe.efi";
        if (files->has_grub)
                return "grubx64.efi";
        return NULL;
}

static void append_url(const struct dnsmasq_config *config, const char *file, struct buf *ret) {
        buf_printf(ret, "http://%s:%u/%s/pxe/%s", config->place->text, config->place->http_port, config->files->build,
                   file);
}

static void append_classes(const struct dnsmasq_config *config, struct buf *ret) {
        buf_append_text(ret, "dhcp-match=set:bios,option:client-arch,0\n"
                             "dhcp-match=set:efi32,option:client-arch,6\n"
                             "dhcp-match=set:efi64,option:client-arch,7\n"
                             "dhcp-match=set:efi64,option:client-arch,9\n"
                             "dhcp-match=set:http,option:client-arch,16\n"
                             "dhcp-userclass=set:ipxe,iPXE\n"
                             "dhcp-match=set:ipxe,175\n"
                             "dhcp-vendorclass=set:firmware,PXEClient\n"
                             "dhcp-vendorclass=set:firmware,HTTPClient\n");
        if (config->dhcp == SERVE_DHCP_PROXY)
                buf_append_text(ret, "dhcp-pxe-vendor=PXEClient,HTTPClient\n");
        else
                buf_append_text(ret, "dhcp-option-force=tag:http,60,HTTPClient\n");
}

// ---- the whole server ----

static void config_boot(const struct dnsmasq_config *config, const char *tag, const char *file, struct buf *ret) {
        if (file)
                buf_printf(ret, "dhcp-boot=tag:!ipxe,tag:%s,%s/pxe/%s,,%s\n", tag, config->files->build, file,
                           config->place->text);
        else
                buf_printf(ret, "# %s: the build has no loader for it\n", tag);
}

// Those that take a URL at once.
static void append_url_boots(const struct dnsmasq_config *config, struct buf *ret) {
        buf_append_text(ret, "dhcp-boot=tag:ipxe,");
        append_url(config, "boot.ipxe", ret);
        buf_append_char(ret, '\n');
        if (!config->files->has_ipxe_efi) {
                buf_append_text(ret, "# http: the build has no loader for it\n");
                return;
        }
        buf_append_text(ret, "dhcp-boot=tag:!ipxe,tag:http,");
        append_url(config, "ipxe.efi", ret);
        buf_append_char(ret, '\n');
}

static void append_boot_files(const struct dnsmasq_config *config, struct buf *ret) {
        append_url_boots(config, ret);
        config_boot(config, "bios", bios_loader(config->files), ret);
        config_boot(config, "efi64", efi_loader(config->files), ret);
        config_boot(config, "efi32", NULL, ret);
}

static void config_address(struct in_addr address, struct buf *ret) {
        char text[INET_ADDRSTRLEN];
        buf_append_text(ret, text_or(inet_ntop(AF_INET, &address, text, sizeof text), ""));
}

static void append_netmask(const struct network *network, struct buf *ret) {
        uint32_t mask = 0;
        if (network->prefix > 0)
                mask = ~0U << (32 - network->prefix);
        config_address((struct in_addr){ htonl(mask) }, ret);
}

static void config_range(const struct network *network, struct buf *ret) {
        buf_printf(ret, "dhcp-range=set:net-%s,", network->name);
        if (network->pool_first.s_addr) {
                config_address(network->pool_first, ret);
                buf_append_char(ret, ',');
                config_address(network->pool_last, ret);
        } else {
                config_address(network->address, ret);
                buf_append_text(ret, ",static");
        }
        buf_append_char(ret, ',');
        append_netmask(network, ret);
        buf_append_text(ret, ",12h\n");
}

// What the inventory does not say is not sent: dnsmasq would name itself as the router and name server.
static void config_network(const struct network *network, struct buf *ret) {
        config_range(network, ret);
        buf_printf(ret, "dhcp-option=tag:net-%s,option:router", network->name);
        if (network->gateway.s_addr) {
                buf_append_char(ret, ',');
                config_address(network->gateway, ret);
        }
        buf_printf(ret, "\ndhcp-option=tag:net-%s,option:dns-server", network->name);
        for (size_t i = 0; i < network->dns.count; i++)
                buf_printf(ret, ",%s", network->dns.items[i]);
        buf_append_char(ret, '\n');
        if (network->mtu)
                buf_printf(ret, "dhcp-option=tag:net-%s,option:mtu,%d\n", network->name, network->mtu);
        if (network->search.count > 0)
                buf_printf(ret, "dhcp-option=tag:net-%s,option:domain-name,%s\n", network->name,
                           network->search.items[0]);
}

static void config_mac(const unsigned char mac[static 6], struct buf *ret) {
        buf_printf(ret, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

// dnsmasq tells what stands in a dhcp-host line by its form: `ignore` would leave the machine without an address, and
// `infinite` or `12h` be the time of its lease (option.c of dnsmasq).
static bool is_word_of_dnsmasq(const char *name) {
        size_t digits = strspn(name, "0123456789");
        bool is_time = digits > 0 && name[digits] && strchr("wdhms", tolower((unsigned char)name[digits])) &&
                       name[digits + 1] == '\0';
        return is_time || strcasecmp(name, "ignore") == 0 || strcasecmp(name, "infinite") == 0;
}

// A bond's cards ask for the one address of their node: whichever the firmware boots from.
static void config_host(const struct node *node, const char *prefix, struct buf *ret) {
        buf_append_text(ret, prefix);
        config_mac(node->mac, ret);
        for (size_t i = 0; i < node->bond.members.count; i++) {
                unsigned char mac[6];
                const char *text = node->bond.members.items[i];
                if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                           &mac[5]) != 6 ||
                    memcmp(mac, node->mac, sizeof mac) == 0)
                        continue;
                buf_append_char(ret, ',');
                config_mac(mac, ret);
        }
        buf_append_char(ret, ',');
        config_address(node->ip, ret);
        if (!is_word_of_dnsmasq(node->name))
                buf_printf(ret, ",%s", node->name);
        buf_append_char(ret, '\n');
}

void dnsmasq_hosts(const struct cluster *cluster, const char *prefix, struct buf *ret) {
        assert(cluster && prefix && ret);
        for (size_t i = 0; i < cluster->node_count; i++)
                if (cluster->nodes[i].has_mac)
                        config_host(&cluster->nodes[i], prefix, ret);
}

// Addresses that the inventory gives need no memory, and dnsmasq writes the whole file anew, and to the disk, for each
// of them: with 500 machines nothing else would be done. Those of a pool must not be given twice after a restart.
static void append_leases(const struct dnsmasq_config *config, struct buf *ret) {
        bool has_pool = false;
        for (size_t i = 0; i < config->cluster->network_count; i++)
                has_pool = has_pool || config->cluster->networks[i].pool_first.s_addr;
        if (has_pool && config->dhcp == SERVE_DHCP_FULL)
                buf_printf(ret, "dhcp-leasefile=%s/leases\n", config->state_dir);
        else
                buf_append_text(ret, "leasefile-ro\n");
        buf_printf(ret, "dhcp-lease-max=%d\n", LEASES_MAX); // 1,000 otherwise, and the others get no address
}

static void append_full(const struct dnsmasq_config *config, const char *hosts_file, struct buf *ret) {
        buf_append_text(ret, "dhcp-authoritative\n");
        for (size_t i = 0; i < config->cluster->network_count; i++)
                config_network(&config->cluster->networks[i], ret);
        append_boot_files(config, ret);
        if (hosts_file)
                buf_printf(ret, "dhcp-hostsfile=%s\n", hosts_file);
        else
                dnsmasq_hosts(config->cluster, "dhcp-host=", ret);
}

// ---- beside another server, which gives the addresses ----

static void append_service(const struct dnsmasq_config *config, const char *tag, int arch, const char *file,
                           struct buf *ret) {
        if (file)
                buf_printf(ret, "pxe-service=tag:!ipxe,tag:%s,%d,\"kiln\",%s/pxe/%s,%s\n", tag, arch,
                           config->files->build, file, config->place->text);
}

// With a single service firmware asks no one and takes it.
static void append_proxy(const struct dnsmasq_config *config, struct buf *ret) {
        const struct network *network = serve_place_network(config->cluster, config->place->address);
        buf_append_text(ret, "dhcp-range=");
        if (network) {
                config_address(network->address, ret);
                buf_append_text(ret, ",proxy,");
                append_netmask(network, ret);
        } else {
                buf_printf(ret, "%s,proxy", config->place->text);
        }
        buf_append_char(ret, '\n');
        append_url_boots(config, ret);
        append_service(config, "bios", ARCH_BIOS, bios_loader(config->files), ret);
        append_service(config, "efi64", ARCH_EFI_X64, efi_loader(config->files), ret);
        append_service(config, "efi64", ARCH_EFI_BC, efi_loader(config->files), ret);
}

static void append_common(const struct dnsmasq_config *config, struct buf *ret) {
        buf_printf(ret,
                   "# kiln serve: %s, build %s\n"
                   "port=0\n"
                   "interface=%s\n"
                   "bind-interfaces\n"
                   "log-facility=-\n",
                   config->cluster->name, config->files->build, config->place->interface);
        if (strcmp(config->place->interface, "lo") != 0)
                buf_append_text(ret, "except-interface=lo\n");
        if (geteuid() == 0)
                // As whoever kiln is. Else it would take the group dip, which a user namespace of one id does not have.
                buf_append_text(ret, "user=root\ngroup=\n");
}

void dnsmasq_dhcp_config(const struct dnsmasq_config *config, const char *hosts_file, struct buf *ret) {
        assert(config && ret && config->dhcp != SERVE_DHCP_NONE);
        append_common(config, ret);
        buf_append_text(ret, "log-dhcp\n");
        append_leases(config, ret);
        append_classes(config, ret);
        if (config->dhcp == SERVE_DHCP_PROXY)
                append_proxy(config, ret);
        else
                append_full(config, hosts_file, ret);
}

static void append_tftp(const char *root, struct buf *ret) {
        buf_printf(ret, "enable-tftp\ntftp-root=%s\ntftp-max=%d\n", root, TFTP_AT_ONCE);
}

void dnsmasq_tftp_config(const struct dnsmasq_config *config, const char *root, struct buf *ret) {
        assert(config && root && ret);
        append_common(config, ret);
        append_tftp(root, ret);
}

void dnsmasq_print_config(const struct dnsmasq_config *config, const char *root, struct buf *ret) {
        assert(config && root && ret);
        if (config->dhcp == SERVE_DHCP_NONE)
                append_common(config, ret);
        else
                dnsmasq_dhcp_config(config, NULL, ret);
        append_tftp(root, ret);
}
