// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_packet.h"

#include <ctype.h>
#include <string.h>

#include "firmware/node/dhcp/big_endian.h"
#include "firmware/node/dhcp/dhcp_options.h"

// Offsets of RFC 791, 768 and 2131.
enum {
        IP_SIZE = 20,
        UDP_SIZE = 8,
        BOOTP_SIZE = 236,
        BOOTP_XID = 4,
        BOOTP_SECONDS = 8,
        BOOTP_YIADDR = 16,
        BOOTP_CHADDR = 28,
        BOOTP_SNAME = 44,
        BOOTP_FILE = 108,
        SNAME_SIZE = 64,
        FILE_SIZE = 128,
        COOKIE_SIZE = 4,
        MESSAGE_MIN = 300, // BOOTP relays drop shorter ones (RFC 1542, 2.1)
        PROTOCOL_UDP = 17,
        UUID_SIZE = 16
};

#define VENDOR_CLASS "kiln" // so that a server can answer with option 43 for us

static const uint8_t cookie[COOKIE_SIZE] = { 99, 130, 83, 99 };

// RFC 1071. Returns the sum's complement; 0 over a block that holds its own right checksum.
static uint16_t internet_checksum(uint32_t sum, const uint8_t *data, size_t size) {
        for (size_t i = 0; i + 1 < size; i += 2)
                sum += read_be16(data + i);
        if (size & 1)
                sum += (uint32_t)data[size - 1] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

static uint32_t pseudo_header_sum(const uint8_t *ip, size_t udp_size) {
        return (uint32_t)read_be16(ip + 12) + read_be16(ip + 14) + read_be16(ip + 16) + read_be16(ip + 18) +
               PROTOCOL_UDP + (uint32_t)udp_size;
}

static uint8_t *put_option(uint8_t *at, uint8_t code, const void *data, uint8_t size) {
        *at++ = code;
        *at++ = size;
        memcpy(at, data, size);
        return at + size;
}

static uint8_t *put_option32(uint8_t *at, uint8_t code, uint32_t value) {
        uint8_t bytes[4];
        write_be32(bytes, value);
        return put_option(at, code, bytes, sizeof bytes);
}

// ---- who we are ----

// Bytes in the order of the text, as DUID-UUID wants them. False if there are no 32 digits, or all are the same:
// firmware whose maker has not filled it in.
static bool read_duid_uuid(const char *text, uint8_t ret[static UUID_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        uint8_t nibbles[2 * UUID_SIZE] = { 0 };
        size_t count = 0;
        bool differs = false;
        for (; *text; text++) {
                const char *digit = strchr(digits, tolower((unsigned char)*text));
                if (*text == '-')
                        continue;
                if (!digit || count == sizeof nibbles)
                        return false;
                nibbles[count++] = (uint8_t)(digit - digits);
                differs = differs || nibbles[count - 1] != nibbles[0];
        }
        for (size_t i = 0; i < UUID_SIZE && count == sizeof nibbles; i++)
                ret[i] = (uint8_t)(nibbles[2 * i] << 4 | nibbles[2 * i + 1]);
        return differs && count == sizeof nibbles;
}

void dhcp_client_id_make(enum dhcp_id_kind kind, const char *uuid, const struct mac *first, const struct mac *mac,
                         struct dhcp_client_id *ret) {
        enum { ETHERNET = 1, RFC_4361 = 255, DUID_LL = 3, DUID_UUID = 4 };
        *ret = (struct dhcp_client_id){ .bytes = { ETHERNET }, .size = 7 };
        memcpy(ret->bytes + 1, mac->bytes, 6);
        if (kind == DHCP_ID_MAC)
                return;
        ret->bytes[0] = RFC_4361;
        memcpy(ret->bytes + 1, mac->bytes + 2, 4);
        write_be16(ret->bytes + 5, DUID_UUID);
        ret->size = 7 + UUID_SIZE;
        if (read_duid_uuid(uuid, ret->bytes + 7))
                return;
        write_be16(ret->bytes + 5, DUID_LL);
        write_be16(ret->bytes + 7, ETHERNET);
        memcpy(ret->bytes + 9, first->bytes, 6);
        ret->size = 15;
}

// ---- what we send ----

// Routes stand before routers, as RFC 3442 asks. Returns the count.
static uint8_t list_wanted(const struct dhcp_settings *settings, uint8_t *ret) {
        static const uint8_t always[] = { OPTION_MASK,      OPTION_ROUTES,           OPTION_ROUTER,
                                          OPTION_DNS,       OPTION_HOSTNAME,         OPTION_DOMAIN,
                                          OPTION_MTU,       OPTION_LEASE_TIME,       OPTION_RENEWAL,
                                          OPTION_REBINDING, OPTION_ROUTES_MICROSOFT, OPTION_SEARCH,
                                          OPTION_FQDN };
        const struct dhcp_site_option site[] = { settings->node, settings->role, settings->id };
        uint8_t count = sizeof always;
        memcpy(ret, always, sizeof always);
        for (size_t i = 0; i < lengthof(site); i++)
                if (site[i].code && !memchr(ret, site[i].code, count))
                        ret[count++] = site[i].code;
        return count;
}

static uint8_t *put_options(uint8_t *at, const struct dhcp_query *query) {
        uint8_t type = (uint8_t)query->type, message_size[2] = { 0 }, wanted[32] = { 0 };
        at = put_option(at, OPTION_TYPE, &type, 1);
        at = put_option(at, OPTION_CLIENT_ID, query->client_id.bytes, query->client_id.size);
        if (query->requested)
                at = put_option32(at, OPTION_REQUESTED, query->requested);
        if (query->server)
                at = put_option32(at, OPTION_SERVER, query->server);
        if (query->type != DHCP_DECLINE) { // RFC 2131, table 5
                write_be16(message_size, DHCP_FRAME_MAX - IP_SIZE - UDP_SIZE);
                at = put_option(at, OPTION_MESSAGE_SIZE, message_size, sizeof message_size);
                at = put_option(at, OPTION_VENDOR_CLASS, VENDOR_CLASS, sizeof VENDOR_CLASS - 1);
                at = put_option(at, OPTION_WANTED, wanted, list_wanted(query->settings, wanted));
        }
        *at++ = OPTION_END;
        return at;
}

size_t dhcp_build(const struct dhcp_query *query, uint8_t ret_packet[static DHCP_FRAME_MAX]) {
        memset(ret_packet, 0, DHCP_FRAME_MAX);
        uint8_t *ip = ret_packet, *udp = ip + IP_SIZE, *bootp = udp + UDP_SIZE;
        bootp[0] = 1; // BOOTREQUEST
        bootp[1] = 1; // Ethernet
        bootp[2] = 6;
        write_be32(bootp + BOOTP_XID, query->xid);
        write_be16(bootp + BOOTP_SECONDS, query->seconds);
        memcpy(bootp + BOOTP_CHADDR, query->mac.bytes, 6);
        memcpy(bootp + BOOTP_SIZE, cookie, COOKIE_SIZE);
        size_t message_size = (size_t)(put_options(bootp + BOOTP_SIZE + COOKIE_SIZE, query) - bootp);
        if (message_size < MESSAGE_MIN)
                message_size = MESSAGE_MIN;
        size_t udp_size = UDP_SIZE + message_size;

        ip[0] = 0x45;
        ip[1] = 0x10; // low delay
        write_be16(ip + 2, (unsigned)(IP_SIZE + udp_size));
        ip[8] = 64;
        ip[9] = PROTOCOL_UDP;
        write_be32(ip + 16, UINT32_MAX);
        write_be16(ip + 10, internet_checksum(0, ip, IP_SIZE));

        write_be16(udp, DHCP_CLIENT_PORT);
        write_be16(udp + 2, DHCP_SERVER_PORT);
        write_be16(udp + 4, (unsigned)udp_size);
        uint16_t sum = internet_checksum(pseudo_header_sum(ip, udp_size), udp, udp_size);
        if (sum == 0)
                sum = 0xffff; // 0 says that there is no checksum
        write_be16(udp + 6, sum);
        return IP_SIZE + udp_size;
}

// The DHCP message inside, or NULL.
static const uint8_t *find_message(const uint8_t *packet, size_t size, bool checksum_pending, size_t *ret_size) {
        if (size < IP_SIZE + UDP_SIZE || packet[0] >> 4 != 4)
                return NULL;
        size_t header = (size_t)(packet[0] & 15) * 4, total = read_be16(packet + 2);
        if (header < IP_SIZE || total > size || total < header + UDP_SIZE || packet[9] != PROTOCOL_UDP)
                return NULL;
        bool fragment = (read_be16(packet + 6) & 0x3fff) != 0; // "more fragments" or an offset
        if (fragment || internet_checksum(0, packet, header) != 0)
                return NULL;
        const uint8_t *udp = packet + header;
        size_t udp_size = read_be16(udp + 4);
        if (udp_size < UDP_SIZE || udp_size > total - header || read_be16(udp) != DHCP_SERVER_PORT ||
            read_be16(udp + 2) != DHCP_CLIENT_PORT)
                return NULL;
        bool has_checksum = !checksum_pending && read_be16(udp + 6) != 0;
        if (has_checksum && internet_checksum(pseudo_header_sum(packet, udp_size), udp, udp_size) != 0)
                return NULL;
        *ret_size = udp_size - UDP_SIZE;
        return udp + UDP_SIZE;
}

static bool collect_options(const uint8_t *bootp, size_t size, struct dhcp_options *options) {
        if (!dhcp_options_add(options, bootp + BOOTP_SIZE + COOKIE_SIZE, size - BOOTP_SIZE - COOKIE_SIZE))
                return false;
        uint8_t overload[DHCP_FRAME_MAX] = { 0 };
        int overload_size = dhcp_options_get(options, OPTION_OVERLOAD, overload);
        if (overload_size > 1 || overload_size == 0)
                return false;
        bool in_file = overload[0] & 1, in_sname = overload[0] & 2;
        if (in_file && !dhcp_options_add(options, bootp + BOOTP_FILE, FILE_SIZE))
                return false;
        return !in_sname || dhcp_options_add(options, bootp + BOOTP_SNAME, SNAME_SIZE);
}

static bool is_for_us(const uint8_t *bootp, size_t size, const struct dhcp_query *query) {
        static const uint8_t reply_by_ethernet[] = { 2, 1, 6 }; // BOOTREPLY, hardware type, length of its addresses
        if (size < BOOTP_SIZE + COOKIE_SIZE || memcmp(bootp, reply_by_ethernet, sizeof reply_by_ethernet) != 0)
                return false;
        bool answers_query = read_be32(bootp + BOOTP_XID) == query->xid;
        bool is_for_card = memcmp(bootp + BOOTP_CHADDR, query->mac.bytes, sizeof query->mac.bytes) == 0;
        return answers_query && is_for_card && memcmp(bootp + BOOTP_SIZE, cookie, COOKIE_SIZE) == 0;
}

bool dhcp_parse(const uint8_t *packet, size_t size, bool checksum_pending, const struct dhcp_query *query,
                struct dhcp_reply *ret) {
        size_t bootp_size;
        uint32_t type, server;
        struct dhcp_options options = { 0 };
        struct dhcp_reply reply = { 0 };
        const uint8_t *bootp = find_message(packet, size, checksum_pending, &bootp_size);
        if (!bootp || !is_for_us(bootp, bootp_size, query) || !collect_options(bootp, bootp_size, &options))
                return false;
        if (!dhcp_options_number(&options, OPTION_TYPE, 1, &type) ||
            !dhcp_options_number(&options, OPTION_SERVER, 4, &server) || !address_is_host(server))
                return false;
        if (type != DHCP_OFFER && type != DHCP_ACK && type != DHCP_NAK)
                return false;
        reply.type = (enum dhcp_type)type;
        if (reply.type != DHCP_NAK &&
            !dhcp_options_lease(&options, read_be32(bootp + BOOTP_YIADDR), query->settings, &reply.lease))
                return false;
        reply.lease.server = server;
        *ret = reply;
        return true;
}
