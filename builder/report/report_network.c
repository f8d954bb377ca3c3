// SPDX-License-Identifier: MIT
// The network: a vertical line for each network, a row for each virtual address and each node, and where they meet, its
// address. Nodes that are connected alike share a row once there are many.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/internal.h"

enum {
        BOX_WIDTH = 230,
        LANE_WIDTH = 230,
        LANE_OFFSET = 190, // of a lane's line, so that an address fits before it
        HEAD_HEIGHT = 78,
        ROW_HEIGHT_PX = 52,
        BOX_HEIGHT = 38,
        ATTACHMENTS_HEIGHT = 30,
        ATTACHMENT_DISTANCE = 10,
        LANES_MAX = 40,
        ROWS_MAX_DRAWN = 48,
        ALIKE_MAX = 4, // so many nodes alike have a row each, where there is room
        TABLE_MAX = 5000,
};

// One address of a node or VIP in a network.
struct attachment {
        size_t lane;
        const char *address; // "" for one by DHCP
        const char *detail;  // "bond0: 2 cards, 802.3ad", or ""
        bool is_bond, is_vlan;
};

struct network_row {
        const char *title, *role, *alike; // alike: nodes with this text are connected in the same way
        struct attachment *attachments;
        size_t attachment_count;
        size_t index;     // in the inventory
        size_t count;     // nodes that it stands for
        const char *last; // the last of them
        bool is_vip;
};

struct network_picture {
        const json_t *node_json, *networks;
        struct arena arena;
        struct network_row *rows;
        size_t row_count, lane_count;
        struct buf *to;
};

// ---- reading ----

static size_t find_lane(const struct network_picture *picture, const char *name) {
        size_t i;
        json_t *network;
        json_array_foreach((json_t *)picture->networks, i, network) {
                if (strcmp(member_text(network, "name"), name) == 0)
                        return i;
        }
        return picture->lane_count;
}

static void add_attachment(struct network_picture *picture, struct network_row *row,
                           const struct attachment *attachment) {
        if (attachment->lane >= picture->lane_count)
                return;
        row->attachments =
            arena_grow(&picture->arena, row->attachments, row->attachment_count, sizeof *row->attachments);
        row->attachments[row->attachment_count++] = *attachment;
}

// The mode of "mode=802.3ad,miimon=100".
static const char *bond_mode(struct arena *arena, const json_t *bond) {
        const char *options = member_text(bond, "options"), *mode = strstr(options, "mode=");
        if (!mode)
                return "";
        mode += strlen("mode=");
        return arena_strndup(arena, mode, strcspn(mode, ","));
}

static const char *describe_bond(struct arena *arena, const json_t *bond) {
        size_t cards = json_array_size(json_object_get(bond, "members"));
        return arena_printf(arena, "%s: %zu cards, %s",
                            text_or(json_string_value(json_object_get(bond, "name")), "bond"), cards,
                            bond_mode(arena, bond));
}

static const char *describe_attachment(struct arena *arena, const json_t *object, int vlan) {
        const json_t *bond = json_object_get(object, "bond");
        const char *interface = member_text(object, "interface"), *first = interface;
        if (json_is_object(bond))
                first = describe_bond(arena, bond);
        if (vlan > 0 && *first)
                return arena_printf(arena, "%s, VLAN %d", first, vlan);
        if (vlan > 0)
                return arena_printf(arena, "VLAN %d", vlan);
        return first;
}

static int vlan_of(const struct network_picture *picture, const json_t *object, size_t lane) {
        json_int_t own = report_size(object, "vlan");
        if (own == 0)
                own = report_size(json_array_get(picture->networks, lane), "vlan");
        return (int)(own & 0xffff);
}

// Of a node or one of its links.
static void attach_object(struct network_picture *picture, struct network_row *row, const json_t *object,
                          const char *address) {
        size_t lane = find_lane(picture, member_text(object, "network"));
        int vlan = vlan_of(picture, object, lane);
        const json_t *list = json_object_get(object, "addresses6");
        size_t more = json_array_size(json_object_get(object, "addresses")) + json_array_size(list);
        if (!*address && more > 0) {
                address = text_or(json_string_value(json_array_get(json_object_get(object, "addresses"), 0)), "");
                more--;
        }
        if (!*address && json_is_true(json_object_get(object, "dhcp")))
                address = "DHCP";
        if (more > 0)
                address = arena_printf(&picture->arena, "%s + %zu", address, more);
        const struct attachment attachment = {
                .lane = lane,
                .address = address,
                .detail = describe_attachment(&picture->arena, object, vlan),
                .is_bond = json_is_object(json_object_get(object, "bond")),
                .is_vlan = vlan > 0,
        };
        add_attachment(picture, row, &attachment);
}

static const char *alike_text(struct arena *arena, const struct network_row *row) {
        const char *text = row->role;
        for (size_t i = 0; i < row->attachment_count; i++)
                text = arena_printf(arena, "%s\n%zu %s", text, row->attachments[i].lane, row->attachments[i].detail);
        return text;
}

static struct network_row read_node_row(struct network_picture *picture, const json_t *node) {
        struct network_row row = { .title = member_text(node, "name"), .role = member_text(node, "role"), .count = 1 };
        size_t i;
        json_t *link;
        attach_object(picture, &row, node, member_text(node, "ip"));
        json_array_foreach(json_object_get(node, "links"), i, link) attach_object(picture, &row, link, "");
        row.alike = alike_text(&picture->arena, &row);
        return row;
}

// The network whose subnet, "10.0.0.0/24", an address is in.
static bool subnet_has(const char *subnet, const char *address) {
        unsigned a[4], b[4], prefix;
        if (sscanf(subnet, "%3u.%3u.%3u.%3u/%2u", &a[0], &a[1], &a[2], &a[3], &prefix) != 5 || prefix > 32 ||
            sscanf(address, "%3u.%3u.%3u.%3u", &b[0], &b[1], &b[2], &b[3]) != 4)
                return false;
        uint32_t mask = 0, network = 0, host = 0;
        if (prefix > 0)
                mask = UINT32_MAX << (32 - prefix);
        for (size_t i = 0; i < 4; i++) {
                network = network << 8 | (a[i] & 0xff);
                host = host << 8 | (b[i] & 0xff);
        }
        return (network & mask) == (host & mask);
}

static void add_row(struct network_picture *picture, const struct network_row *row) {
        struct network_row *added = array_append(&picture->rows, &picture->row_count);
        *added = *row;
        added->index = picture->row_count;
}

static void read_vips(struct network_picture *picture) {
        size_t i, j;
        json_t *vip, *network;
        json_array_foreach(json_object_get(picture->node_json, "vips"), i, vip) {
                const char *ip = member_text(vip, "ip");
                struct network_row row = {
                        .title = member_text(vip, "name"), .role = "virtual address", .count = 1, .is_vip = true
                };
                json_array_foreach((json_t *)picture->networks, j, network) {
                        const struct attachment attachment = { .lane = j, .address = ip, .detail = "" };
                        if (subnet_has(member_text(network, "subnet"), ip))
                                add_attachment(picture, &row, &attachment);
                }
                row.alike = arena_printf(&picture->arena, "%zu", i);
                add_row(picture, &row);
        }
}

static int order_of_rows(const void *left, const void *right) {
        const struct network_row *a = left, *b = right;
        if (a->is_vip != b->is_vip)
                return b->is_vip - a->is_vip;
        int groups = strcmp(a->alike, b->alike);
        if (groups)
                return groups;
        return (a->index > b->index) - (a->index < b->index);
}

static void read_rows(struct network_picture *picture) {
        size_t i;
        json_t *node;
        read_vips(picture);
        json_array_foreach(json_object_get(picture->node_json, "nodes"), i, node) {
                const struct network_row row = read_node_row(picture, node);
                add_row(picture, &row);
        }
        if (picture->row_count > 0)
                qsort(picture->rows, picture->row_count, sizeof *picture->rows, order_of_rows);
}

// ---- folding ----

static size_t alike_count(const struct network_picture *picture, size_t first) {
        size_t count = 1;
        while (first + count < picture->row_count &&
               strcmp(picture->rows[first + count].alike, picture->rows[first].alike) == 0)
                count++;
        return count;
}

// Nodes of which more than `most` are connected alike become one row.
static void fold_rows(struct network_picture *picture, size_t most) {
        size_t kept = 0;
        for (size_t i = 0, count; i < picture->row_count; i += count) {
                count = alike_count(picture, i);
                if (count <= most) {
                        for (size_t j = 0; j < count; j++)
                                picture->rows[kept++] = picture->rows[i + j];
                        continue;
                }
                struct network_row folded = picture->rows[i];
                folded.count = count;
                folded.last = picture->rows[i + count - 1].title;
                picture->rows[kept++] = folded;
        }
        picture->row_count = kept;
}

// ---- drawing ----

static double lane_x(size_t lane) { return (double)(BOX_WIDTH + lane * LANE_WIDTH + LANE_OFFSET); }

static void draw_lane(const struct network_picture *picture, size_t lane, double height) {
        const json_t *network = json_array_get(picture->networks, lane);
        struct buf *to = picture->to;
        const char *gateway = member_text(network, "gateway");
        json_int_t vlan = report_size(network, "vlan");
        double x = lane_x(lane);
        auto_free char *title = xstrdup(member_text(network, "name"));
        if (vlan > 0) {
                free(title);
                title = xasprintf("%s, VLAN %jd", member_text(network, "name"), (intmax_t)vlan);
        }
        html_format(to, "<g><title>network %s, %s", title, member_text(network, "subnet"));
        if (*gateway)
                html_format(to, ", router %s", gateway);
        buf_printf(to, "</title><text class=\"bold\" text-anchor=\"middle\" x=\"%.0f\" y=\"16\">", x);
        html_text_cut(to, title, 30);
        buf_printf(to, "</text><text text-anchor=\"middle\" x=\"%.0f\" y=\"33\">", x);
        html_text_cut(to, member_text(network, "subnet"), 30);
        buf_printf(to, "</text><text class=\"small\" text-anchor=\"middle\" x=\"%.0f\" y=\"49\">", x);
        if (*gateway)
                buf_append_text(to, "router ");
        html_text_cut(to, gateway, 30);
        buf_printf(to, "</text><line class=\"bus\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%d\" y2=\"%.0f\"/></g>\n", x, x,
                   HEAD_HEIGHT - 18, height - 8);
}

static const char *link_class(const struct attachment *attachment) {
        if (attachment->is_vlan)
                return "link vlan";
        return "link";
}

// A bond is a double line, a VLAN a dashed one; both are said in words below it.
static void draw_attachment(const struct network_row *row, const struct attachment *attachment, double y,
                            struct buf *to) {
        double x = lane_x(attachment->lane);
        const char *shown = link_class(attachment);
        int lines = 1;
        if (attachment->is_bond)
                lines = 2;
        for (int i = 0; i < lines; i++)
                buf_printf(to, "<line class=\"%s\" x1=\"%d\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", shown, BOX_WIDTH,
                           x, y + 4 * i - 2 * (lines - 1), y + 4 * i - 2 * (lines - 1));
        buf_printf(to, "<circle class=\"dot\" cx=\"%.0f\" cy=\"%.1f\" r=\"5\"/>", x, y);
        buf_printf(to, "<text class=\"halo\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">", x - 10, y - 6);
        html_text_cut(to, attachment->address, 24);
        if (row->count > 1)
                buf_append_text(to, " …");
        buf_printf(to, "</text><text class=\"small halo\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">", x - 10, y + 15);
        html_text_cut(to, attachment->detail, 32);
        buf_append_text(to, "</text>\n");
}

// Within the height of its row: the lines of one row lie beside each other.
static double attachment_y(const struct network_row *row, size_t index) {
        double distance = ATTACHMENTS_HEIGHT / (double)row->attachment_count;
        if (distance > ATTACHMENT_DISTANCE)
                distance = ATTACHMENT_DISTANCE;
        return BOX_HEIGHT / 2.0 + ((double)index - (double)(row->attachment_count - 1) / 2) * distance;
}

static void draw_box(const struct network_row *row, double y, struct buf *to) {
        double round = 4;
        if (row->is_vip)
                round = BOX_HEIGHT / 2.0;
        if (row->count > 1)
                buf_printf(to, "<rect class=\"many\" x=\"5\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"4\"/>", y + 4,
                           BOX_WIDTH - 6, BOX_HEIGHT);
        buf_printf(to, "<rect class=\"box\" x=\"1\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"%.0f\"/>", y,
                   BOX_WIDTH - 6, BOX_HEIGHT, round);
        auto_free char *title = xstrdup(row->title);
        auto_free char *role = xstrdup(row->role);
        if (row->count > 1) {
                free(title);
                free(role);
                title = xasprintf("%s … %s", row->title, row->last);
                role = xasprintf("%s, %zu nodes alike", row->role, row->count);
        }
        buf_printf(to, "<text class=\"bold\" x=\"14\" y=\"%.1f\">", y + 16);
        html_text_cut(to, title, 30);
        buf_printf(to, "</text><text class=\"small\" x=\"14\" y=\"%.1f\">", y + 31);
        html_text_cut(to, role, 34);
        buf_append_text(to, "</text>\n");
}

static void draw_row(const struct network_picture *picture, size_t index) {
        const struct network_row *row = &picture->rows[index];
        double y = HEAD_HEIGHT + (double)(index * ROW_HEIGHT_PX);
        html_format(picture->to, "<g><title>%s, %s", row->title, row->role);
        for (size_t i = 0; i < row->attachment_count; i++)
                html_format(picture->to, "; %s %s",
                            member_text(json_array_get(picture->networks, row->attachments[i].lane), "name"),
                            row->attachments[i].address);
        buf_append_text(picture->to, "</title>\n");
        for (size_t i = 0; i < row->attachment_count; i++)
                if (row->attachments[i].lane < LANES_MAX)
                        draw_attachment(row, &row->attachments[i], y + attachment_y(row, i), picture->to);
        draw_box(row, y, picture->to);
        buf_append_text(picture->to, "</g>\n");
}

static void draw_picture(struct network_picture *picture) {
        if (picture->row_count > ROWS_MAX_DRAWN)
                fold_rows(picture, ALIKE_MAX);
        if (picture->row_count > ROWS_MAX_DRAWN)
                fold_rows(picture, 1);
        size_t rows = size_min(picture->row_count, ROWS_MAX_DRAWN), lanes = size_min(picture->lane_count, LANES_MAX);
        int width = (int)(BOX_WIDTH + lanes * LANE_WIDTH + 20), height = (int)(HEAD_HEIGHT + rows * ROW_HEIGHT_PX + 16);
        buf_printf(
            picture->to,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of the network\">"
            "<svg role=\"img\" aria-label=\"Networks and what is connected to them; the tables below it have the "
            "same in words\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
            width, height, width, height);
        for (size_t i = 0; i < lanes; i++)
                draw_lane(picture, i, height);
        for (size_t i = 0; i < rows; i++)
                draw_row(picture, i);
        buf_append_text(picture->to, "</svg></div>\n");
        if (picture->row_count > rows)
                buf_printf(picture->to, "<p>And %zu more rows, which are in the table.</p>\n",
                           picture->row_count - rows);
        if (picture->lane_count > lanes)
                buf_printf(picture->to, "<p>And %zu more networks.</p>\n", picture->lane_count - lanes);
}

// ---- the table ----

static void list_rows(const struct network_picture *picture) {
        struct buf *to = picture->to;
        size_t count = size_min(picture->row_count, TABLE_MAX);
        buf_append_text(to,
                        "<details><summary>The network as a table</summary><div class=\"long\" tabindex=\"0\" "
                        "role=\"region\" aria-label=\"Table of the network\"><table><thead><tr><th scope=\"col\">name"
                        "<th scope=\"col\">role<th scope=\"col\">connected to</tr></thead><tbody>\n");
        for (size_t i = 0; i < count; i++) {
                const struct network_row *row = &picture->rows[i];
                html_format(to, "<tr><th scope=\"row\">%s<td>%s<td>", row->title, row->role);
                for (size_t j = 0; j < row->attachment_count; j++) {
                        const struct attachment *attachment = &row->attachments[j];
                        const json_t *network = json_array_get(picture->networks, attachment->lane);
                        if (j > 0)
                                buf_append_text(to, "; ");
                        html_format(to, "%s %s", member_text(network, "name"), attachment->address);
                        if (*attachment->detail)
                                html_format(to, " (%s)", attachment->detail);
                }
                buf_append_text(to, "</tr>\n");
        }
        buf_append_text(to, "</tbody></table></div></details>\n");
        if (picture->row_count > count)
                buf_printf(to, "<p>And %zu more.</p>\n", picture->row_count - count);
}

void report_network(const struct report_data *data, struct buf *to) {
        struct network_picture picture = { .node_json = data->node_json,
                                           .networks = json_object_get(data->node_json, "networks"),
                                           .to = to };
        report_heading(to, "network", "The network");
        picture.lane_count = json_array_size(picture.networks);
        if (picture.lane_count == 0) {
                buf_append_text(to, "<p>The build has no configuration layer, which would tell.</p>\n");
                return;
        }
        auto_buf table = { 0 };
        read_rows(&picture);
        picture.to = &table;
        list_rows(&picture);
        picture.to = to;
        buf_append_text(
            to, "<p class=\"dim\">Each vertical line is a network, each box a node, each dot an address. A double "
                "line is a bond, a dashed one has a VLAN tag, a round box is a virtual address; a doubled "
                "box stands for nodes that are connected alike.</p>\n");
        draw_picture(&picture);
        buf_append(to, table.data, table.size);
        free(picture.rows);
        arena_release(&picture.arena);
}
