#include "firmware/node/network.h"

#include <string.h>

#define NETWORKD_FILE "/etc/systemd/network/10-kiln.network"
// Sorts before NETWORKD_FILE, so it wins over one that a disk kept from an earlier boot; /run forgets it.
#define NETWORKD_REFUSED_FILE "/run/systemd/network/10-kiln-refused.network"
#define IFCFG_DIR "/etc/sysconfig/network-scripts/ifcfg-"

static void put_address(struct buf *text, const char *before, uint32_t address, const char *after) {
        char shown[ADDRESS_TEXT_SIZE];
        address_format(address, shown);
        buf_printf(text, "%s%s%s", before, shown, after);
}

// ---- systemd-networkd: systemd.network(5) ----

static void networkd_node(const struct identity *identity, struct plan *plan) {
        auto_buf text = { 0 };
        char mac[MAC_TEXT_SIZE];
        mac_format(&identity->interface->mac, mac);
        // Type=ether: a bridge or VLAN on the card has the same MAC.
        buf_printf(&text, "[Match]\nMACAddress=%s\nType=ether\n", mac);
        if (identity->mtu)
                buf_printf(&text, "\n[Link]\nMTUBytes=%d\n", identity->mtu);
        buf_append_text(&text, "\n[Network]\n");
        if (identity->dhcp) {
                // The lease that the firmware, the initrd and kiln-node have had is the one of the MAC.
                buf_append_text(&text, "DHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\nUseHostname=no\n");
        } else {
                put_address(&text, "Address=", identity->address, "");
                buf_printf(&text, "/%d\n", identity->prefix);
                if (identity->gateway)
                        put_address(&text, "Gateway=", identity->gateway, "\n");
                for (size_t i = 0; i < identity->dns_count; i++)
                        put_address(&text, "DNS=", identity->dns[i], "\n");
        }
        plan_add_file(plan, NETWORKD_FILE, 0644, &text);
        plan_add_remove(plan, NETWORKD_REFUSED_FILE);
}

static void networkd_refused(const struct facts *facts, struct plan *plan) {
        (void)facts;
        auto_buf text = { 0 };
        buf_append_text(&text, "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n\n"
                               "[DHCPv4]\nClientIdentifier=mac\nUseHostname=no\n");
        plan_add_file(plan, NETWORKD_REFUSED_FILE, 0644, &text);
}

// ---- ifcfg: EL7's initscripts and NetworkManager both read it ----

static void ifcfg_begin(struct buf *text, const struct interface *interface) {
        char mac[MAC_TEXT_SIZE];
        mac_format(&interface->mac, mac);
        buf_printf(text, "DEVICE=\"%s\"\nHWADDR=%s\nTYPE=Ethernet\nONBOOT=yes\n", interface->name, mac);
}

static void ifcfg_add(struct plan *plan, const struct interface *interface, const struct buf *text) {
        char path[sizeof IFCFG_DIR + INTERFACE_NAME_SIZE];
        snprintf(path, sizeof path, IFCFG_DIR "%s", interface->name);
        plan_add_file(plan, path, 0644, text);
}

static void ifcfg_node(const struct identity *identity, struct plan *plan) {
        auto_buf text = { 0 };
        ifcfg_begin(&text, identity->interface);
        if (identity->mtu)
                buf_printf(&text, "MTU=%d\n", identity->mtu);
        if (identity->dhcp) {
                buf_append_text(&text, "BOOTPROTO=dhcp\nPERSISTENT_DHCLIENT=yes\nDEFROUTE=yes\n");
        } else {
                put_address(&text, "BOOTPROTO=none\nIPADDR=", identity->address, "\n");
                buf_printf(&text, "PREFIX=%d\nDEFROUTE=yes\n", identity->prefix);
                if (identity->gateway)
                        put_address(&text, "GATEWAY=", identity->gateway, "\n");
                for (size_t i = 0; i < identity->dns_count; i++) {
                        buf_printf(&text, "DNS%zu=", i + 1);
                        put_address(&text, "", identity->dns[i], "\n");
                }
        }
        ifcfg_add(plan, identity->interface, &text);
}

static void ifcfg_refused(const struct facts *facts, struct plan *plan) {
        for (size_t i = 0; i < facts->interface_count; i++) {
                auto_buf text = { 0 };
                ifcfg_begin(&text, &facts->interfaces[i]);
                buf_append_text(&text, "BOOTPROTO=dhcp\nPERSISTENT_DHCLIENT=yes\n");
                ifcfg_add(plan, &facts->interfaces[i], &text);
        }
}

static const struct network_writer writers[] = {
        { "systemd-networkd", networkd_node, networkd_refused },
        { "ifcfg", ifcfg_node, ifcfg_refused },
};

const struct network_writer *network_writer_find(const char *name) {
        for (size_t i = 0; i < lengthof(writers); i++)
                if (strcmp(writers[i].name, name) == 0)
                        return &writers[i];
        return NULL;
}
