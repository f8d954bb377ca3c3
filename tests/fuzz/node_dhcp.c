// Fuzz target: bytes from the network. Whatever arrives, dhcp_parse() must not crash, and what it accepts must be safe
// to use.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and firmware/node/dhcp_packet.c and
// firmware/node/address.c; run with tests/fuzz/node_dhcp.corpus as argument.
// tests/unit/node_fuzz.c replays the corpus on every run.
#include <stdlib.h>
#include <string.h>

#include "firmware/node/dhcp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct mac mac = { { 0x52, 0x54, 0, 0xa8, 2, 0x47 } };
        struct dhcp_reply reply;
        if (!dhcp_parse(data, size, true, 0x12345678, &mac, &reply))
                return 0;
        const struct lease *lease = &reply.lease;
        if (!address_is_host(lease->server) || lease->dns_count > DNS_MAX || strlen(lease->domain) >= DOMAIN_SIZE ||
            (*lease->hostname && !hostname_is_valid(lease->hostname)) || lease->prefix > 32 ||
            strpbrk(lease->domain, " \n\t"))
                abort();
        if (reply.type != DHCP_NAK && !address_is_host(lease->address))
                abort();
        return 0;
}
