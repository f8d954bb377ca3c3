// SPDX-License-Identifier: MIT
// Thousands of nodes: each gets the files that are its own, and nothing is left out.
#include "tests/artefact/sample.h"

enum { NODES = 1000, EXTRA = 3 /* the nodes of the sample's own inventory, one of them without a card */ };

static struct sample sample;

static void address_of(size_t number, char *ret, size_t size) {
        snprintf(ret, size, "10.1.%zu.%zu", 1 + number / 250, 2 + number % 250);
}

static void mac_of(size_t number, char separator, char *ret, size_t size) {
        snprintf(ret, size, "52%c54%c01%c00%c%02zx%c%02zx", separator, separator, separator, separator, number >> 8,
                 separator, number & 255);
}

static void write_inventory(void) {
        auto_buf text = { 0 };
        const char *nodes = strstr(sample_cluster, "nodes:\n") + strlen("nodes:\n");
        buf_append(&text, sample_cluster, (size_t)(nodes - sample_cluster));
        for (size_t i = 0; i < NODES; i++) {
                char mac[18], ip[16];
                mac_of(i, ':', mac, sizeof mac);
                address_of(i, ip, sizeof ip);
                buf_printf(&text, "  - {name: n%zu, role: %s, mac: \"%s\", ip: %s}\n", i, i % 2 ? "beta" : "alpha", mac,
                           ip);
        }
        buf_append_text(&text, nodes);
        sample_text("cluster.yaml", buf_text(&text));
        sample_text("ks/beta.ks.tmpl", sample_kickstart);
}

static void all_of_it_is_built(void) {
        const char *names[] = { "pxe", "kickstart", "manifest", "sums" };
        struct strings wanted = { names, lengthof(names) };
        write_inventory();
        EXPECT_OK(sample_open(&sample, "out", err));
        sample.build.http_base = "http://10.1.0.2/kiln";
        EXPECT(sample.cluster->node_count == NODES + EXTRA);
        EXPECT_OK(artefacts_check(&sample.build, &wanted, err));
        EXPECT_OK(artefacts_write(&sample.build, &wanted, err));
        auto_free char *script = xasprintf(
            "cd out; test $(ls pxe/node | wc -l) = %d; test $(ls pxe/mac | wc -l) = %d; "
            "test $(ls pxe/pxelinux.cfg | wc -l) = %d; test $(ls kickstart | wc -l) = %d; "
            "test $(grep -c '^item node-' pxe/boot.ipxe) = %d; test $(grep -c '^menuentry' pxe/grub.cfg) = %d; "
            "test $(wc -l < SHA256SUMS) = $(find . -type f ! -name SHA256SUMS | wc -l); "
            "sha256sum --quiet --strict -c SHA256SUMS",
            NODES + EXTRA, NODES + EXTRA, NODES + EXTRA + 1, NODES + EXTRA + SAMPLE_ROLES, NODES + EXTRA,
            NODES + EXTRA + SAMPLE_ROLES + 1);
        EXPECT_OK(sample_judge(script, NULL, err));
}

static bool holds(const char *path, const char *text) {
        auto_buf found = { 0 };
        auto_err err = { 0 };
        if (!fs_read(sample.out, path, &found, &err)) {
                printf("# %s\n", err.text);
                return false;
        }
        bool ok = strstr(buf_text(&found), text) != NULL;
        if (!ok)
                printf("# %s does not hold %s\n", path, text);
        return ok;
}

static bool is_its_own(size_t number) {
        char dashed[18], ip[16];
        const char *role = number % 2 ? "beta" : "alpha";
        mac_of(number, '-', dashed, sizeof dashed);
        address_of(number, ip, sizeof ip);
        auto_free char *mac_path = xasprintf("pxe/mac/%s.ipxe", dashed),
                       *node_path = xasprintf("pxe/node/n%zu.ipxe", number);
        auto_free char *pxelinux_path = xasprintf("pxe/pxelinux.cfg/01-%s", dashed);
        auto_free char *kickstart_path = xasprintf("kickstart/n%zu.ks", number);
        auto_free char *title = xasprintf("\necho kiln: n%zu (%s)\n", number, role);
        auto_free char *by_mac = xasprintf(" kiln.role=%s kiln.root=carried BOOTIF=01-%s ", role, dashed);
        auto_free char *by_name = xasprintf(" kiln.root=carried kiln.node=n%zu BOOTIF=01-%s ", number, dashed);
        auto_free char *label = xasprintf("\ndefault node-n%zu\nprompt 0\n\nlabel node-n%zu\n", number, number);
        auto_free char *network = xasprintf("network --ip=%s --hostname=n%zu --netmask=255.255.240.0\n", ip, number);
        return holds(mac_path, title) && holds(mac_path, by_mac) && holds(node_path, title) &&
               holds(node_path, by_name) && holds(pxelinux_path, label) && holds(kickstart_path, network);
}

static void each_node_has_its_own(void) {
        size_t right = 0;
        while (right < NODES && is_its_own(right))
                right++;
        EXPECT(right == NODES);
}

static const char *text_of(const struct value *map, const char *key) {
        const struct value *value = value_get(map, key);
        return value && value->type == VALUE_SCALAR ? value->text : "";
}

// The position among the nodes of the role, and the places in `nodes` that kickstart files are found by.
static void templates_see_every_node(void) {
        struct arena arena = { 0 };
        const struct role *beta = cluster_find_role(sample.cluster, "beta");
        const struct value *scope = cluster_scope(&arena, sample.cluster, beta), *nodes = value_get(scope, "nodes");
        size_t right = 0;
        EXPECT_TEXT(text_of(value_get(scope, "role"), "name"), "beta");
        EXPECT(nodes && nodes->count == NODES + EXTRA && beta->node_count == NODES / 2 + 1);
        for (size_t i = 0; i < beta->node_count; i++) {
                const struct value *value = nodes->items[beta->nodes[i]];
                auto_free char *index = xasprintf("%zu", i);
                right += strcmp(text_of(value, "name"), sample.cluster->nodes[beta->nodes[i]].name) == 0 &&
                         strcmp(text_of(value, "index"), index) == 0;
        }
        EXPECT(right == beta->node_count);
        arena_release(&arena);
}

int main(void) {
        sample_begin();
        RUN(all_of_it_is_built);
        RUN(each_node_has_its_own);
        RUN(templates_see_every_node);
        sample_close(&sample);
        return sample_end();
}
