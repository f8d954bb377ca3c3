// SPDX-License-Identifier: MIT
// Where kiln serves: an interface of this machine and its address.
#ifndef KILN_SERVE_SERVE_PLACE_H
#define KILN_SERVE_SERVE_PLACE_H

#include <net/if.h>
#include <netinet/in.h>

#include "serve/serve.h"

struct serve_place {
        char interface[IF_NAMESIZE];
        struct in_addr address;
        char text[INET_ADDRSTRLEN]; // the address
        unsigned http_port;
};

// Takes what the options say; else the one interface that has an address in a network of the cluster. ERR_REFERENCE
// says what there is instead.
must_check bool serve_place_find(const struct serve_options *options, const struct cluster *cluster,
                                 struct serve_place *ret, struct err *err);

// The network of the cluster that an address is in; NULL: none.
const struct network *serve_place_network(const struct cluster *cluster, struct in_addr address);

#endif
