#include "firmware/node/dhcp_packet.h"

#include <string.h>

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
        PROTOCOL_UDP = 17
};

enum option {
        OPTION_PAD = 0,
        OPTION_MASK = 1,
        OPTION_ROUTER = 3,
        OPTION_DNS = 6,
        OPTION_HOSTNAME = 12,
        OPTION_DOMAIN = 15,
        OPTION_MTU = 26,
        OPTION_REQUESTED = 50,
        OPTION_LEASE_TIME = 51,
        OPTION_OVERLOAD = 52,
        OPTION_TYPE = 53,
        OPTION_SERVER = 54,
        OPTION_WANTED = 55,
        OPTION_MESSAGE_SIZE = 57,
        OPTION_CLIENT_ID = 61,
        OPTION_END = 255
};

static const uint8_t cookie[COOKIE_SIZE] = { 99, 130, 83, 99 };

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, unsigned value) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}
static void put32(uint8_t *at, uint32_t value) {
        put16(at, value >> 16);
        put16(at + 2, value & 0xffff);
}

// RFC 1071. Returns the sum's complement; 0 over a block that holds its own right checksum.
static uint16_t checksum(uint32_t sum, const uint8_t *data, size_t size) {
        for (size_t i = 0; i + 1 < size; i += 2)
                sum += get16(data + i);
        if (size & 1)
                sum += (uint32_t)data[size - 1] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

static uint32_t pseudo_header_sum(const uint8_t *ip, size_t udp_size) {
        return (uint32_t)get16(ip + 12) + get16(ip + 14) + get16(ip + 16) + get16(ip + 18) + PROTOCOL_UDP +
               (uint32_t)udp_size;
}

static uint8_t *put_option(uint8_t *at, enum option code, const void *data, uint8_t size) {
        *at++ = (uint8_t)code;
        *at++ = size;
        memcpy(at, data, size);
        return at + size;
}

static uint8_t *put_option32(uint8_t *at, enum option code, uint32_t value) {
        uint8_t bytes[4];
        put32(bytes, value);
        return put_option(at, code, bytes, sizeof bytes);
}

static uint8_t *put_options(uint8_t *at, const struct dhcp_query *query) {
        static const uint8_t wanted[] = { OPTION_MASK,   OPTION_ROUTER, OPTION_DNS,       OPTION_HOSTNAME,
                                          OPTION_DOMAIN, OPTION_MTU,    OPTION_LEASE_TIME };
        uint8_t type = (uint8_t)query->type, message_size[2], client_id[7] = { 1 }; // 1: Ethernet
        memcpy(client_id + 1, query->mac.bytes, 6);
        put16(message_size, DHCP_FRAME_MAX);
        at = put_option(at, OPTION_TYPE, &type, 1);
        at = put_option(at, OPTION_CLIENT_ID, client_id, sizeof client_id);
        at = put_option(at, OPTION_MESSAGE_SIZE, message_size, sizeof message_size);
        if (query->requested)
                at = put_option32(at, OPTION_REQUESTED, query->requested);
        if (query->server)
                at = put_option32(at, OPTION_SERVER, query->server);
        at = put_option(at, OPTION_WANTED, wanted, sizeof wanted);
        *at++ = OPTION_END;
        return at;
}

size_t dhcp_build(const struct dhcp_query *query, uint8_t ret_packet[static DHCP_FRAME_MAX]) {
        memset(ret_packet, 0, DHCP_FRAME_MAX);
        uint8_t *ip = ret_packet, *udp = ip + IP_SIZE, *bootp = udp + UDP_SIZE;
        bootp[0] = 1; // BOOTREQUEST
        bootp[1] = 1; // Ethernet
        bootp[2] = 6;
        put32(bootp + BOOTP_XID, query->xid);
        put16(bootp + BOOTP_SECONDS, query->seconds);
        memcpy(bootp + BOOTP_CHADDR, query->mac.bytes, 6);
        memcpy(bootp + BOOTP_SIZE, cookie, COOKIE_SIZE);
        size_t message_size = (size_t)(put_options(bootp + BOOTP_SIZE + COOKIE_SIZE, query) - bootp);
        if (message_size < MESSAGE_MIN)
                message_size = MESSAGE_MIN;
        size_t udp_size = UDP_SIZE + message_size;

        ip[0] = 0x45;
        ip[1] = 0x10; // low delay
        put16(ip + 2, (unsigned)(IP_SIZE + udp_size));
        ip[8] = 64;
        ip[9] = PROTOCOL_UDP;
        put32(ip + 16, UINT32_MAX);
        put16(ip + 10, checksum(0, ip, IP_SIZE));

        put16(udp, DHCP_CLIENT_PORT);
        put16(udp + 2, DHCP_SERVER_PORT);
        put16(udp + 4, (unsigned)udp_size);
        uint16_t sum = checksum(pseudo_header_sum(ip, udp_size), udp, udp_size);
        put16(udp + 6, sum ? sum : 0xffff);
        return IP_SIZE + udp_size;
}

// The DHCP message inside, or NULL.
static const uint8_t *open_packet(const uint8_t *packet, size_t size, bool checksum_pending, size_t *ret_size) {
        if (size < IP_SIZE + UDP_SIZE || packet[0] >> 4 != 4)
                return NULL;
        size_t header = (size_t)(packet[0] & 15) * 4, total = get16(packet + 2);
        if (header < IP_SIZE || total > size || total < header + UDP_SIZE || packet[9] != PROTOCOL_UDP)
                return NULL;
        bool fragment = (get16(packet + 6) & 0x3fff) != 0; // "more fragments" or an offset
        if (fragment || checksum(0, packet, header) != 0)
                return NULL;
        const uint8_t *udp = packet + header;
        size_t udp_size = get16(udp + 4);
        if (udp_size < UDP_SIZE || udp_size > total - header || get16(udp) != DHCP_SERVER_PORT ||
            get16(udp + 2) != DHCP_CLIENT_PORT)
                return NULL;
        if (!checksum_pending && get16(udp + 6) != 0 &&
            checksum(pseudo_header_sum(packet, udp_size), udp, udp_size) != 0)
                return NULL;
        *ret_size = udp_size - UDP_SIZE;
        return udp + UDP_SIZE;
}

// Option values by code. An option that comes in pieces is joined (RFC 3396); 1.5 kB of message bounds the whole.
struct options {
        uint8_t bytes[DHCP_FRAME_MAX];
        uint16_t offset[256], size[256];
        bool present[256];
        size_t used;
};

static bool store_option(struct options *options, uint8_t code, const uint8_t *data, size_t size) {
        size_t before = options->present[code] ? options->size[code] : 0;
        if (options->used + before + size > sizeof options->bytes)
                return false;
        memcpy(options->bytes + options->used, options->bytes + options->offset[code], before);
        memcpy(options->bytes + options->used + before, data, size);
        options->offset[code] = (uint16_t)options->used;
        options->size[code] = (uint16_t)(before + size);
        options->present[code] = true;
        options->used += before + size;
        return true;
}

static bool read_options(struct options *options, const uint8_t *at, size_t size) {
        const uint8_t *end = at + size;
        while (at < end && *at != OPTION_END) {
                if (*at == OPTION_PAD) {
                        at++;
                        continue;
                }
                if (end - at < 2 || end - at - 2 < at[1])
                        return false;
                if (!store_option(options, at[0], at + 2, at[1]))
                        return false;
                at += 2 + at[1];
        }
        return true;
}

static bool read_all_options(struct options *options, const uint8_t *bootp, size_t size) {
        if (!read_options(options, bootp + BOOTP_SIZE + COOKIE_SIZE, size - BOOTP_SIZE - COOKIE_SIZE))
                return false;
        if (!options->present[OPTION_OVERLOAD])
                return true;
        if (options->size[OPTION_OVERLOAD] != 1)
                return false;
        uint8_t overload = options->bytes[options->offset[OPTION_OVERLOAD]];
        return (!(overload & 1) || read_options(options, bootp + BOOTP_FILE, FILE_SIZE)) &&
               (!(overload & 2) || read_options(options, bootp + BOOTP_SNAME, SNAME_SIZE));
}

static uint32_t option32(const struct options *options, enum option code) {
        return options->present[code] && options->size[code] == 4 ? get32(options->bytes + options->offset[code]) : 0;
}

// Text as servers send it: perhaps with NULs at the end (RFC 2132, 2). "" if it holds any other control byte or is too
// long.
static void option_text(const struct options *options, enum option code, char *ret, size_t ret_size) {
        const uint8_t *data = options->bytes + options->offset[code];
        size_t size = options->present[code] ? options->size[code] : 0;
        while (size > 0 && data[size - 1] == '\0')
                size--;
        ret[0] = '\0';
        if (size >= ret_size)
                return;
        for (size_t i = 0; i < size; i++)
                if (data[i] <= ' ' || data[i] >= 127)
                        return;
        memcpy(ret, data, size);
        ret[size] = '\0';
}

static void read_addresses(const struct options *options, struct lease *lease) {
        const uint8_t *data = options->bytes + options->offset[OPTION_DNS];
        size_t count = options->present[OPTION_DNS] ? options->size[OPTION_DNS] / 4 : 0;
        for (size_t i = 0; i < count && lease->dns_count < DNS_MAX; i++)
                if (address_is_host(get32(data + 4 * i)))
                        lease->dns[lease->dns_count++] = get32(data + 4 * i);
        if (options->present[OPTION_ROUTER] && options->size[OPTION_ROUTER] >= 4)
                lease->router = get32(options->bytes + options->offset[OPTION_ROUTER]);
        if (!address_is_host(lease->router))
                lease->router = 0;
}

static bool read_lease(const struct options *options, const uint8_t *bootp, struct lease *lease) {
        *lease = (struct lease){ .address = get32(bootp + BOOTP_YIADDR), .prefix = -1 };
        lease->lease_s = option32(options, OPTION_LEASE_TIME);
        bool mask_is_bad =
            options->present[OPTION_MASK] && !prefix_of_mask(option32(options, OPTION_MASK), &lease->prefix);
        if (mask_is_bad || !address_is_host(lease->address))
                return false;
        read_addresses(options, lease);
        option_text(options, OPTION_HOSTNAME, lease->hostname, sizeof lease->hostname);
        option_text(options, OPTION_DOMAIN, lease->domain, sizeof lease->domain);
        if (!hostname_is_valid(lease->hostname))
                lease->hostname[0] = '\0';
        if (options->present[OPTION_MTU] && options->size[OPTION_MTU] == 2)
                lease->mtu = get16(options->bytes + options->offset[OPTION_MTU]);
        if (lease->mtu < 576)
                lease->mtu = 0; // RFC 2132, 5.1: at least 68; below IPv4's 576 it only breaks things
        return true;
}

static bool is_for_us(const uint8_t *bootp, size_t size, uint32_t xid, const struct mac *mac) {
        return size >= BOOTP_SIZE + COOKIE_SIZE && bootp[0] == 2 && bootp[1] == 1 && bootp[2] == 6 &&
               get32(bootp + BOOTP_XID) == xid && memcmp(bootp + BOOTP_CHADDR, mac->bytes, 6) == 0 &&
               memcmp(bootp + BOOTP_SIZE, cookie, COOKIE_SIZE) == 0;
}

bool dhcp_parse(const uint8_t *packet, size_t size, bool checksum_pending, uint32_t xid, const struct mac *mac,
                struct dhcp_reply *ret) {
        size_t bootp_size;
        const uint8_t *bootp = open_packet(packet, size, checksum_pending, &bootp_size);
        if (!bootp || !is_for_us(bootp, bootp_size, xid, mac))
                return false;
        struct options options = { 0 };
        if (!read_all_options(&options, bootp, bootp_size) || options.size[OPTION_TYPE] != 1)
                return false;
        struct dhcp_reply reply = { .type = options.bytes[options.offset[OPTION_TYPE]] };
        uint32_t server = option32(&options, OPTION_SERVER);
        if (!address_is_host(server) || (reply.type != DHCP_OFFER && reply.type != DHCP_ACK && reply.type != DHCP_NAK))
                return false;
        if (reply.type != DHCP_NAK && !read_lease(&options, bootp, &reply.lease))
                return false;
        reply.lease.server = server;
        *ret = reply;
        return true;
}
