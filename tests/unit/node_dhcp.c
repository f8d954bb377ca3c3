// SPDX-License-Identifier: MIT
// DHCP messages: what we send, and what we accept.
#include "tests/unit/test.h"

#include <stdlib.h>

#include "firmware/node/dhcp/dhcp_packet.h"
#include "tests/unit/dhcp_answer.h"

static const struct mac mac = { { 0x52, 0x54, 0, 0xa8, 2, 0x47 } };
static struct dhcp_settings settings = { .node = { 224, 0 }, .role = { 43, 2 }, .id = { 226, 0 } };
static struct dhcp_query query = { .xid = XID, .mac = { { 0x52, 0x54, 0, 0xa8, 2, 0x47 } }, .settings = &settings };

static struct dhcp_reply reply;

static bool accepted(struct packet *packet) {
        seal(packet);
        memset(&reply, 0, sizeof reply);
        // In exactly its size on the heap, so that the sanitizer sees a read past the end.
        uint8_t *copy = malloc(packet->size);
        memcpy(copy, packet->bytes, packet->size);
        bool ok = dhcp_parse(copy, packet->size, false, &query, &reply);
        free(copy);
        return ok;
}

static void a_full_acknowledgement(void) {
        struct packet packet = answer(DHCP_ACK);
        add(&packet, 1, "\xff\xff\xff\x00", 4);
        add(&packet, 3, "\xc0\xa8\x02\x01\xc0\xa8\x02\x02", 8);
        add(&packet, 6, "\x08\x08\x08\x08\x00\x00\x00\x00\x08\x08\x04\x04", 12);
        add(&packet, 12, "master101\0\0", 11);
        add(&packet, 15, "example.com", 11);
        add(&packet, 26, "\x05\xdc", 2);
        add(&packet, 51, "\x00\x00\x0e\x10", 4);
        packet.bytes[packet.size++] = 255;
        EXPECT(accepted(&packet));
        EXPECT(reply.type == DHCP_ACK && reply.lease.address == 0xc0a80247 && reply.lease.server == 0xc0a80201);
        EXPECT(reply.lease.prefix == 24 && reply.lease.router == 0xc0a80201 && reply.lease.mtu == 1500);
        EXPECT(reply.lease.dns_count == 2 && reply.lease.dns[1] == 0x08080404 && reply.lease.lease_s == 3600);
        EXPECT_TEXT(reply.lease.hostname, "master101");
        EXPECT_TEXT(reply.lease.domain, "example.com");
}

static void options_in_the_file_and_name_fields(void) {
        struct packet packet = answer(DHCP_OFFER);
        uint8_t *bootp = packet.bytes + HEADERS;
        add(&packet, 52, "\x03", 1);
        memcpy(bootp + 44, "\x0c\x03two\xff", 6);  // sname
        memcpy(bootp + 108, "\x0c\x03one\xff", 6); // file comes first (RFC 2131, 4.1), and the pieces are joined
        EXPECT(accepted(&packet));
        EXPECT_TEXT(reply.lease.hostname, "onetwo");
        packet = answer(DHCP_OFFER);
        memcpy(packet.bytes + HEADERS + 44, "\x0c\x03two\xff", 6); // without option 52 it is a name
        EXPECT(accepted(&packet));
        EXPECT_TEXT(reply.lease.hostname, "");
}

static void names_that_are_none_are_dropped(void) {
        const char *const names[] = { "a b", "x\n192.168.2.9 y", "-a", "a..b", "../etc", "" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                struct packet packet = answer(DHCP_ACK);
                add(&packet, 12, names[i], (unsigned)strlen(names[i]));
                EXPECT(accepted(&packet));
                EXPECT_TEXT(reply.lease.hostname, "");
        }
        struct packet packet = answer(DHCP_ACK);
        char big[100];
        memset(big, 'a', sizeof big);
        add(&packet, 12, big, sizeof big);
        EXPECT(accepted(&packet));
        EXPECT_TEXT(reply.lease.hostname, "");
}

// An acknowledgement of 192.168.2.71/24 with this option.
static bool accepted_with(unsigned code, const char *data, unsigned size) {
        struct packet packet = answer(DHCP_ACK);
        add(&packet, 1, "\xff\xff\xff\x00", 4);
        add(&packet, code, data, size);
        return accepted(&packet);
}

#define OPTION(code, data) accepted_with(code, data, sizeof data - 1)

static bool route_is(size_t index, const char *to, int prefix, const char *gateway) {
        uint32_t want_to, want_gateway;
        const struct lease_route *route = &reply.lease.routes[index];
        return index < reply.lease.route_count && address_parse(to, &want_to) &&
               address_parse(gateway, &want_gateway) && route->to == want_to && route->prefix == prefix &&
               route->gateway == want_gateway;
}

static void routes(void) {
#define GATEWAY "\xc0\xa8\x02\x09"
        // RFC 3442's own descriptors
        EXPECT(OPTION(121, "\0" GATEWAY "\10\12" GATEWAY "\30\12\0\0" GATEWAY "\20\12\21" GATEWAY
                           "\31\12\345\0\200" GATEWAY "\40\12\306\172\57" GATEWAY));
        EXPECT(reply.lease.route_count == 6 && reply.lease.router == 0xc0a80209);
        EXPECT(route_is(0, "0.0.0.0", 0, "192.168.2.9") && route_is(1, "10.0.0.0", 8, "192.168.2.9"));
        EXPECT(route_is(2, "10.0.0.0", 24, "192.168.2.9") && route_is(3, "10.17.0.0", 16, "192.168.2.9"));
        EXPECT(route_is(4, "10.229.0.128", 25, "192.168.2.9") && route_is(5, "10.198.122.47", 32, "192.168.2.9"));
        // bits beyond the prefix
        EXPECT(OPTION(121, "\31\201\322\261\204" GATEWAY) && route_is(0, "129.210.177.128", 25, "192.168.2.9"));
        // a gateway outside the subnet needs a route on the link, wherever that stands
        EXPECT(OPTION(121, "\0\12\0\0\1\40\12\0\0\1\0\0\0\0") && reply.lease.route_count == 2);
        EXPECT(route_is(0, "10.0.0.1", 32, "0.0.0.0") && route_is(1, "0.0.0.0", 0, "10.0.0.1"));
        EXPECT(reply.lease.router == 0x0a000001);
        EXPECT(OPTION(121, "\0\12\0\0\1") && reply.lease.route_count == 0 && reply.lease.router == 0);
        EXPECT(OPTION(121, "\10\12\xe0\0\0\1\10\13\xc0\xa8\2\x47") && reply.lease.route_count == 0);
        struct packet packet = answer(DHCP_ACK);
        add(&packet, 3, "\xc0\xa8\x02\x01", 4);
        add(&packet, 249, "\10\12" GATEWAY, 6);
        EXPECT(accepted(&packet) && route_is(0, "10.0.0.0", 8, "192.168.2.9") && reply.lease.router == 0);
        add(&packet, 121, "\10\13" GATEWAY, 6);
        EXPECT(accepted(&packet) && reply.lease.route_count == 1 && route_is(0, "11.0.0.0", 8, "192.168.2.9"));
}

static void malformed_routes_are_as_none(void) {
        static const struct {
                const char *data;
                unsigned size;
        } bad[] = {
                { "", 0 }, { "\41\1\2\3\4\5\300\250\2\1", 10 }, { "\30\1\2\3\300\250\2", 7 }, { "\0\300\250\2\1\10", 6 }
        };
        for (size_t i = 0; i < lengthof(bad); i++) {
                struct packet packet = answer(DHCP_ACK);
                add(&packet, 121, bad[i].data, bad[i].size);
                add(&packet, 3, "\xc0\xa8\x02\x01", 4);
                EXPECT(accepted(&packet) && reply.lease.route_count == 0 && reply.lease.router == 0xc0a80201);
        }
        struct packet packet = answer(DHCP_ACK); // more than are kept, in several pieces
        for (int i = 0; i < 40; i++)
                add(&packet, 121, (uint8_t[]){ 24, 10, 1, (uint8_t)i, 192, 168, 2, 9 }, 8);
        EXPECT(accepted(&packet) && reply.lease.route_count == LEASE_ROUTES_MAX &&
               route_is(31, "10.1.31.0", 24, "192.168.2.9"));
}

static void routers(void) {
        EXPECT(OPTION(3, "\12\0\0\1\300\250\2\1") && reply.lease.router == 0xc0a80201); // out of the subnet
        EXPECT(OPTION(3, "\12\0\0\1") && reply.lease.router == 0);
        EXPECT(OPTION(3, "\300\250\2\107") && reply.lease.router == 0); // the machine itself
        EXPECT(OPTION(3, "\300\250\2") && reply.lease.router == 0);
}

static void search_lists(void) {
        EXPECT(OPTION(119, "\3FOO\3BAR\0\4ABCD\3EFG") && reply.lease.search_count == 0); // cut off
        EXPECT(OPTION(119, "\3foo\3bar\0\4abcd\3efg\0") && reply.lease.search_count == 2);
        EXPECT_TEXT(reply.lease.search[0], "foo.bar");
        EXPECT_TEXT(reply.lease.search[1], "abcd.efg");
        EXPECT(OPTION(119, "\3foo\0\300\0") && reply.lease.search_count == 2);
        EXPECT_TEXT(reply.lease.search[1], "foo");
        EXPECT(OPTION(119, "\3foo\3bar\0\3abc\300\4\1x\300\11") && reply.lease.search_count == 3);
        EXPECT_TEXT(reply.lease.search[1], "abc.bar");
        EXPECT_TEXT(reply.lease.search[2], "x.abc.bar");
        EXPECT(OPTION(119, "\4_tcp\3bar\0\3foo\0\0\1a\0") && reply.lease.search_count == 2); // two are no domains
        EXPECT_TEXT(reply.lease.search[0], "foo");
        EXPECT_TEXT(reply.lease.search[1], "a");
        EXPECT(OPTION(119, "\3a.b\0\3a\0b\0\3a b\0") && reply.lease.search_count == 0);
        EXPECT(OPTION(119, "\3foo\0\3bar\300\5") && reply.lease.search_count == 0);  // to itself
        EXPECT(OPTION(119, "\3foo\0\3bar\300\11") && reply.lease.search_count == 0); // to the pointer
        EXPECT(OPTION(119, "\300\2\1a\0") && reply.lease.search_count == 0);         // forwards
        EXPECT(OPTION(119, "\1a\300") && reply.lease.search_count == 0);
        EXPECT(OPTION(119, "\1a\0\100x") && reply.lease.search_count == 0); // a label of 64 bytes, or an extended one
}

// RFC 3396: pieces are one, and pointers count in the whole.
static void a_search_list_in_pieces(void) {
        struct packet packet = answer(DHCP_ACK);
        add(&packet, 119, "\7exam", 5);
        add(&packet, 6, "\10\10\10\10", 4);
        add(&packet, 119, "ple\3com", 7);
        add(&packet, 119, "\0\1b\300\0", 5);
        EXPECT(accepted(&packet) && reply.lease.search_count == 2);
        EXPECT_TEXT(reply.lease.search[0], "example.com");
        EXPECT_TEXT(reply.lease.search[1], "b.example.com");
}

static void domains_and_full_names(void) {
        EXPECT(OPTION(15, "Example.COM.\0"));
        EXPECT_TEXT(reply.lease.domain, "Example.COM");
        EXPECT(reply.lease.search_count == 0);
        EXPECT(OPTION(15, "../etc"));
        EXPECT_TEXT(reply.lease.domain, "");
        EXPECT(OPTION(81, "\1\xff\xffhost.example.com"));
        EXPECT_TEXT(reply.lease.hostname, "host");
        EXPECT_TEXT(reply.lease.domain, "example.com");
        EXPECT(OPTION(81, "\5\0\0\4host\7example\0"));
        EXPECT_TEXT(reply.lease.hostname, "host");
        EXPECT_TEXT(reply.lease.domain, "example");
        EXPECT_TEXT(reply.lease.fqdn, "host.example");
        EXPECT(OPTION(81, "\5\0\0\4host")); // without a domain it has no end (RFC 4702, 2.3.1)
        EXPECT_TEXT(reply.lease.hostname, "host");
        EXPECT_TEXT(reply.lease.fqdn, "");
        EXPECT(OPTION(81, "\5\0\0\4hos") && OPTION(81, "\1\0") && OPTION(81, "\1\0\0a b"));
        EXPECT_TEXT(reply.lease.hostname, "");
        struct packet packet = answer(DHCP_ACK); // option 12 is what the server calls the machine
        add(&packet, 81, "\1\0\0other.example.com", 20);
        add(&packet, 12, "host", 4);
        EXPECT(accepted(&packet));
        EXPECT_TEXT(reply.lease.hostname, "host");
        EXPECT_TEXT(reply.lease.domain, "example.com");
        EXPECT_TEXT(reply.lease.fqdn, "other.example.com");
}

// No RFC's, but what many a dhcpd.conf has.
static void several_domains_are_a_search_list(void) {
        EXPECT(OPTION(15, "a.example b.example") && reply.lease.search_count == 2);
        EXPECT_TEXT(reply.lease.domain, "a.example");
        EXPECT_TEXT(reply.lease.search[0], "a.example");
        EXPECT_TEXT(reply.lease.search[1], "b.example");
        EXPECT(OPTION(15, " ../etc  a.example. -b  c\0") && reply.lease.search_count == 2); // two are no domains
        EXPECT_TEXT(reply.lease.domain, "a.example");
        EXPECT_TEXT(reply.lease.search[1], "c");
        EXPECT(OPTION(15, "a.example\nb.example") && reply.lease.search_count == 0);
        EXPECT_TEXT(reply.lease.domain, "");
        EXPECT(OPTION(15, "a b c d e f g h i j") && reply.lease.search_count == LEASE_SEARCH_MAX);
        EXPECT(OPTION(15, "  ") && !*reply.lease.domain && reply.lease.search_count == 0);
        struct packet packet = answer(DHCP_ACK);
        add(&packet, 15, "a.example b.example", 19);
        add(&packet, 119, "\3foo\0", 5);
        EXPECT(accepted(&packet) && reply.lease.search_count == 1);
        EXPECT_TEXT(reply.lease.search[0], "foo");
        EXPECT_TEXT(reply.lease.domain, "a.example");
}

static void a_host_name_may_be_a_full_one(void) {
        EXPECT(OPTION(12, "host.example.com."));
        EXPECT_TEXT(reply.lease.hostname, "host.example.com");
        EXPECT(OPTION(12, "ip-10-0-0-1.a-region-with-a-long-name.compute.internal.of-a-provider.example"));
        EXPECT_TEXT(reply.lease.hostname, "ip-10-0-0-1");
}

static void the_sites_options(void) {
        EXPECT(OPTION(224, "master101\0"));
        EXPECT_TEXT(reply.lease.node, "master101");
        EXPECT(OPTION(224, "master 101") && OPTION(225, "x"));
        EXPECT_TEXT(reply.lease.node, "");
        EXPECT(OPTION(43, "\1\1x\2\6ma_ste\0\377"));
        EXPECT_TEXT(reply.lease.role, "ma_ste");
        EXPECT(OPTION(43, "\1\1x\2\7ma/ster"));
        EXPECT_TEXT(reply.lease.role, "");
        EXPECT(OPTION(43, "\2\11ma"));
        EXPECT_TEXT(reply.lease.role, "");
        EXPECT(OPTION(226, "\3") && reply.lease.id == 3);
        EXPECT(OPTION(226, "\0\377") && reply.lease.id == 255);
        EXPECT(OPTION(226, "\0\0\0\7") && reply.lease.id == 7);
        EXPECT(OPTION(226, "\1\0") && reply.lease.id == 0);
        EXPECT(OPTION(226, "123") && reply.lease.id == 0);
        EXPECT(OPTION(226, "\0") && reply.lease.id == 0);
}

static void numbers_that_repeat_must_agree(void) {
        EXPECT(OPTION(26, "\5\xdc\5\xdc") && reply.lease.mtu == 1500);
        EXPECT(OPTION(26, "\5\xdc\5\xdd") && reply.lease.mtu == 0);
        EXPECT(OPTION(26, "\0\103") && reply.lease.mtu == 0);
        EXPECT(OPTION(26, "\0\104") && reply.lease.mtu == 68);
        EXPECT(OPTION(1, "\377\377\377\0") && reply.lease.prefix == 24);
        EXPECT(!OPTION(1, "\377\377\0\0"));
        EXPECT(!OPTION(54, "\300\250\2\2"));
        EXPECT(!OPTION(53, "\2"));
}

static bool host_is_accepted(const char *address, const char *mask) {
        struct packet packet = answer(DHCP_ACK);
        memcpy(packet.bytes + HEADERS + 16, address, 4);
        add(&packet, 1, mask, 4);
        return accepted(&packet);
}

static void an_address_is_a_hosts(void) {
        EXPECT(!host_is_accepted("\300\250\2\377", "\377\377\377\0") &&
               !host_is_accepted("\300\250\2\0", "\377\377\377\0"));
        EXPECT(host_is_accepted("\300\250\2\377", "\377\377\376\0") &&
               host_is_accepted("\300\250\3\0", "\377\377\376\0"));
        EXPECT(host_is_accepted("\300\250\2\0", "\377\377\377\376") &&
               host_is_accepted("\300\250\2\1", "\377\377\377\376"));
        EXPECT(host_is_accepted("\300\250\2\1", "\377\377\377\377"));
        EXPECT(!host_is_accepted("\360\0\0\1", "\377\0\0\0") && !host_is_accepted("\0\1\2\3", "\377\0\0\0"));
}

// Changes one place of a good packet; it must be refused.
static bool refused_with(size_t offset, const void *bytes, size_t size) {
        struct packet packet = answer(DHCP_ACK);
        EXPECT(accepted(&packet));
        memcpy(packet.bytes + offset, bytes, size);
        return !accepted(&packet);
}

static void what_is_not_for_us_is_refused(void) {
        EXPECT(refused_with(0, "\x65", 1));                       // IPv6
        EXPECT(refused_with(0, "\x44", 1));                       // IP header too short
        EXPECT(refused_with(6, "\x20\x00", 2));                   // fragment
        EXPECT(refused_with(9, "\x06", 1));                       // TCP
        EXPECT(refused_with(20, "\x00\x44", 2));                  // not from a server
        EXPECT(refused_with(22, "\x00\x43", 2));                  // not to a client
        EXPECT(refused_with(HEADERS, "\x01", 1));                 // a request
        EXPECT(refused_with(HEADERS + 2, "\x10", 1));             // other hardware
        EXPECT(refused_with(HEADERS + 4, "\x12\x34\x56\x79", 4)); // other transaction
        EXPECT(refused_with(HEADERS + 28, "\x52\x54\x00\xa8\x02\x48", 6));
        EXPECT(refused_with(HEADERS + 236, "\x63\x82\x53\x62", 4));
        EXPECT(refused_with(HEADERS + 16, "\x00\x00\x00\x00", 4)); // no address
        EXPECT(refused_with(HEADERS + 16, "\x7f\x00\x00\x01", 4));
        EXPECT(refused_with(HEADERS + 16, "\xe0\x00\x00\x01", 4));
        EXPECT(refused_with(OPTIONS, "\x35\x01\x01", 3));                 // a DISCOVER
        EXPECT(refused_with(OPTIONS, "\x00\x00\x00", 3));                 // no type
        EXPECT(refused_with(OPTIONS + 3, "\x00\x00\x00\x00\x00\x00", 6)); // no server
        EXPECT(refused_with(OPTIONS + 3, "\x36\x05", 2));                 // runs over the end
}

static void damaged_options_are_refused(void) {
        struct packet packet = answer(DHCP_ACK);
        packet.bytes[packet.size++] = 12; // a code without a length
        EXPECT(!accepted(&packet));
        packet = answer(DHCP_ACK);
        add(&packet, 1, "\xff\x00\xff\x00", 4); // mask with holes
        EXPECT(!accepted(&packet));
        packet = answer(DHCP_ACK);
        add(&packet, 52, "\x01", 1);
        memset(packet.bytes + HEADERS + 108, 12, 128); // option 12 of 12 bytes, again and again, over the field's end
        packet.bytes[HEADERS + 108 + 126] = 12;
        packet.bytes[HEADERS + 108 + 127] = 200;
        EXPECT(!accepted(&packet));
}

static void checksums_are_checked(void) {
        struct packet packet = answer(DHCP_ACK);
        seal(&packet);
        packet.bytes[26] ^= 1;
        EXPECT(!dhcp_parse(packet.bytes, packet.size, false, &query, &reply));
        EXPECT(dhcp_parse(packet.bytes, packet.size, true, &query, &reply));
        packet.bytes[26] = packet.bytes[27] = 0; // the sender made none (RFC 768)
        EXPECT(dhcp_parse(packet.bytes, packet.size, false, &query, &reply));
        packet.bytes[10] ^= 1;
        EXPECT(!dhcp_parse(packet.bytes, packet.size, true, &query, &reply));
        packet = answer(DHCP_ACK);
        seal(&packet);
        for (size_t size = 0; size < packet.size; size++)
                EXPECT(!dhcp_parse(packet.bytes, size, true, &query, &reply));
}

static void what_we_send(void) {
        struct dhcp_query request = { DHCP_REQUEST, XID, mac, 9, 0xc0a80247, 0xc0a80201, .settings = &settings };
        uint8_t packet[DHCP_FRAME_MAX];
        dhcp_client_id_make(DHCP_ID_MAC, "", &mac, &mac, &request.client_id);
        size_t size = dhcp_build(&request, packet);
        EXPECT(size >= 20 + 8 + 300);
        EXPECT(sum(0, packet, 20) == 0xffff);
        EXPECT(sum(sum(17 + (unsigned)size - 20, packet + 12, 8), packet + 20, size - 20) == 0xffff);
        EXPECT(memcmp(packet + HEADERS, "\x01\x01\x06\x00\x12\x34\x56\x78\x00\x09\x00\x00", 12) == 0);
        EXPECT(memcmp(packet + HEADERS + 28, mac.bytes, 6) == 0);
        EXPECT(memcmp(packet + OPTIONS, "\x35\x01\x03\x3d\x07\x01\x52\x54\x00\xa8\x02\x47", 12) == 0);
        EXPECT(memmem(packet + OPTIONS, size - OPTIONS, "\x32\x04\xc0\xa8\x02\x47\x36\x04\xc0\xa8\x02\x01", 12) !=
               NULL);
        EXPECT(memmem(packet + OPTIONS, size - OPTIONS, "\x39\x02\x05\xc0\x3c\x04kiln", 10) != NULL);
        request.type = DHCP_DISCOVER;
        request.requested = request.server = 0;
        dhcp_build(&request, packet);
        EXPECT(memcmp(packet + OPTIONS, "\x35\x01\x01", 3) == 0);
        EXPECT(!memmem(packet + OPTIONS, size - OPTIONS, "\x32\x04", 2));
        const uint8_t *wanted = memmem(packet + OPTIONS, size - OPTIONS, "\x01\x79\x03", 3); // 121 before 3: RFC 3442
        EXPECT(wanted && wanted[-2] == 55 && memchr(wanted, 224, wanted[-1]) && memchr(wanted, 43, wanted[-1]) &&
               memchr(wanted, 226, wanted[-1]));
}

static void a_decline_says_no_more_than_it_may(void) {
        struct dhcp_query decline = { DHCP_DECLINE, XID, mac, 0, 0xc0a80247, 0xc0a80201, .settings = &settings };
        uint8_t packet[DHCP_FRAME_MAX];
        dhcp_client_id_make(DHCP_ID_MAC, "", &mac, &mac, &decline.client_id);
        dhcp_build(&decline, packet);
        EXPECT(memcmp(packet + OPTIONS,
                      "\x35\x01\x04\x3d\x07\x01\x52\x54\x00\xa8\x02\x47"
                      "\x32\x04\xc0\xa8\x02\x47\x36\x04\xc0\xa8\x02\x01\xff",
                      25) == 0);
}

static bool id_is(enum dhcp_id_kind kind, const char *uuid, const char *bytes, size_t size) {
        static const struct mac first = { { 2, 0, 0, 0, 0, 1 } };
        struct dhcp_client_id id;
        dhcp_client_id_make(kind, uuid, &first, &mac, &id);
        return id.size == size && memcmp(id.bytes, bytes, size) == 0;
}

static void client_ids(void) {
        EXPECT(id_is(DHCP_ID_MAC, "", "\x01\x52\x54\x00\xa8\x02\x47", 7));
        EXPECT(id_is(DHCP_ID_DUID, "00112233-4455-6677-8899-AABBCCDDEEFF",
                     "\xff\x00\xa8\x02\x47\x00\x04\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
                     23));
        static const char link_layer[] = "\xff\x00\xa8\x02\x47\x00\x03\x00\x01\x02\x00\x00\x00\x00\x01";
        static const char *const useless[] = { "",
                                               "00000000-0000-0000-0000-000000000000",
                                               "Not Settable",
                                               "ffffffff-ffff-ffff-ffff-ffffffffffff",
                                               "00112233-4455-6677-8899-AABBCCDDEEF",
                                               "00112233-4455-6677-8899-AABBCCDDEEFF0" };
        for (size_t i = 0; i < lengthof(useless); i++)
                EXPECT(id_is(DHCP_ID_DUID, useless[i], link_layer, 15));
}

int main(void) {
        RUN(a_full_acknowledgement);
        RUN(options_in_the_file_and_name_fields);
        RUN(names_that_are_none_are_dropped);
        RUN(routes);
        RUN(malformed_routes_are_as_none);
        RUN(routers);
        RUN(search_lists);
        RUN(a_search_list_in_pieces);
        RUN(domains_and_full_names);
        RUN(several_domains_are_a_search_list);
        RUN(a_host_name_may_be_a_full_one);
        RUN(the_sites_options);
        RUN(numbers_that_repeat_must_agree);
        RUN(an_address_is_a_hosts);
        RUN(what_is_not_for_us_is_refused);
        RUN(damaged_options_are_refused);
        RUN(checksums_are_checked);
        RUN(what_we_send);
        RUN(a_decline_says_no_more_than_it_may);
        RUN(client_ids);
        return test_done();
}
