// SPDX-License-Identifier: MIT
#include "firmware/node/facts/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOSTNAME_MAX = 64, LABEL_MAX = 63, INTERFACE_NAME_MAX = 15 };

// Digits without sign, blanks or leading zeros.
static const char *parse_decimal(const char *text, unsigned max, unsigned *ret) {
        unsigned value = 0;
        const char *at = text;
        for (; isdigit((unsigned char)*at); at++) {
                value = value * 10 + (unsigned)(*at - '0');
                if (value > max)
                        return NULL;
        }
        if (at == text || (*text == '0' && at - text > 1))
                return NULL;
        *ret = value;
        return at;
}

bool address_parse(const char *text, uint32_t *ret) {
        static const char after[] = { '.', '.', '.', '\0' };
        uint32_t address = 0;
        for (size_t i = 0; i < sizeof after; i++) {
                unsigned part;
                text = parse_decimal(text, 255, &part);
                if (!text || *text != after[i])
                        return false;
                address = address << 8 | part;
                text++;
        }
        *ret = address;
        return true;
}

void address_format(uint32_t address, char ret_text[static ADDRESS_TEXT_SIZE]) {
        snprintf(ret_text, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                 address & 255);
}

bool prefix_of_mask(uint32_t mask, int *ret) {
        if (mask == 0 || (~mask & (~mask + 1)) != 0)
                return false;
        *ret = __builtin_popcount(mask);
        return true;
}

bool prefix_parse(const char *text, int *ret) {
        uint32_t mask;
        if (address_parse(text, &mask))
                return prefix_of_mask(mask, ret);
        unsigned prefix;
        const char *end = parse_decimal(text, 32, &prefix);
        if (!end || *end || prefix == 0)
                return false;
        *ret = (int)prefix;
        return true;
}

uint32_t mask_of_prefix(int prefix) {
        if (prefix <= 0)
                return 0;
        return UINT32_MAX << (32 - prefix);
}

bool address_in_subnet(uint32_t address, uint32_t subnet, int prefix) {
        return ((address ^ subnet) & mask_of_prefix(prefix)) == 0;
}

bool address_is_host(uint32_t address) { return address >> 24 != 0 && address >> 24 != 127 && address < 0xe0000000; }

bool address_is_host_of(uint32_t address, int prefix) {
        uint32_t rest = ~mask_of_prefix(prefix);
        bool has_broadcast = prefix > 0 && prefix < 31;
        return address_is_host(address) && !(has_broadcast && ((address & rest) == 0 || (address & rest) == rest));
}

bool address6_parse(const char *text, struct address *ret) {
        struct address address = { .family = 6 };
        if (inet_pton(AF_INET6, text, address.bytes) != 1)
                return false;
        *ret = address;
        return true;
}

bool address_parse_any(const char *text, struct address *ret) {
        uint32_t ipv4;
        if (!address_parse(text, &ipv4))
                return address6_parse(text, ret);
        *ret = (struct address){ .family = 4 };
        ipv4 = htonl(ipv4);
        memcpy(ret->bytes, &ipv4, sizeof ipv4);
        return true;
}

void address_format_any(const struct address *address, char ret_text[static ADDRESS_ANY_TEXT_SIZE]) {
        ret_text[0] = '\0';
        if (address->family == 4)
                inet_ntop(AF_INET, address->bytes, ret_text, ADDRESS_ANY_TEXT_SIZE);
        else if (address->family)
                inet_ntop(AF_INET6, address->bytes, ret_text, ADDRESS_ANY_TEXT_SIZE);
}

struct address address_of_ipv4(uint32_t address) {
        return (struct address){
                4, { (uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address }
        };
}

bool address_equal(const struct address *a, const struct address *b) {
        size_t size = sizeof a->bytes;
        if (a->family == 4)
                size = 4;
        return a->family == b->family && memcmp(a->bytes, b->bytes, size) == 0;
}

bool prefix6_parse(const char *text, int *ret) {
        unsigned prefix;
        const char *end = parse_decimal(text, 128, &prefix);
        if (!end || *end || prefix == 0)
                return false;
        *ret = (int)prefix;
        return true;
}

static int hex_digit(char digit) {
        static const char digits[] = "0123456789abcdef";
        const char *at = memchr(digits, tolower((unsigned char)digit), sizeof digits - 1);
        if (!at)
                return -1;
        return (int)(at - digits);
}

static bool ends_mac_byte(char after, bool is_last) {
        if (is_last)
                return after == '\0';
        return after == ':' || after == '-';
}

bool mac_parse(const char *text, struct mac *ret) {
        struct mac mac;
        unsigned any = 0;
        for (int i = 0; i < 6; i++, text += 3) {
                int high = hex_digit(text[0]);
                if (high < 0)
                        return false;
                int low = hex_digit(text[1]);
                if (low < 0 || !ends_mac_byte(text[2], i == 5))
                        return false;
                mac.bytes[i] = (uint8_t)(high << 4 | low);
                any |= mac.bytes[i];
        }
        if (!any || mac.bytes[0] & 1)
                return false;
        *ret = mac;
        return true;
}

void mac_format(const struct mac *mac, char ret_text[static MAC_TEXT_SIZE]) {
        const uint8_t *b = mac->bytes;
        snprintf(ret_text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

bool mac_equal(const struct mac *a, const struct mac *b) { return memcmp(a, b, sizeof *a) == 0; }

bool interface_name_is_valid(const char *text) {
        size_t size = strlen(text);
        if (size == 0 || size > INTERFACE_NAME_MAX || *text == '-' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
                return false;
        for (size_t i = 0; i < size; i++)
                if (!isalnum((unsigned char)text[i]) && !strchr("._-@", text[i]))
                        return false;
        return true;
}

static bool dns_label_is_valid(const char *label, size_t size) {
        if (size == 0 || size > LABEL_MAX || label[0] == '-' || label[size - 1] == '-')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!isalnum((unsigned char)label[i]) && label[i] != '-')
                        return false;
        return true;
}

bool hostname_is_valid(const char *text) {
        if (strlen(text) > HOSTNAME_MAX)
                return false;
        for (;;) {
                size_t size = strcspn(text, ".");
                if (!dns_label_is_valid(text, size))
                        return false;
                if (!text[size])
                        return true;
                text += size + 1;
        }
}

bool hostname_names(const char *text, const char *name) {
        size_t size = strlen(name);
        return strncasecmp(text, name, size) == 0 && (text[size] == '\0' || text[size] == '.');
}

uint32_t ipv4_of_address(const struct address *address) {
        const uint8_t *b = address->bytes;
        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
