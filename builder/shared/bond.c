// SPDX-License-Identifier: MIT
#include "shared/bond.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *const bond_modes[] = { "balance-rr", "active-backup", "balance-xor", "broadcast",
                                   "802.3ad",    "balance-tlb",   "balance-alb", NULL };
static const char *const rates[] = { "slow", "fast", NULL };
static const char *const hash_policies[] = { "layer2",   "layer3+4",    "layer2+3", "encap2+3",
                                             "encap3+4", "vlan+srcmac", NULL };
static const char *const mac_policies[] = { "none", "active", "follow", NULL };
static const char *const arp_validations[] = { "none",   "active",        "backup",        "all",
                                               "filter", "filter_active", "filter_backup", NULL };
static const char *const arp_targets[] = { "any", "all", NULL };
static const char *const reselections[] = { "always", "better", "failure", NULL };
static const char *const selections[] = { "stable", "bandwidth", "count", NULL };

// `choices`: the driver takes a number too, by their order. No choices: a whole number, or as `is_text` says.
static const struct bond_driver_option {
        const char *name, *networkd, *format;
        const char *const *choices;
        bool is_text;
} driver_options[] = {
        { "mode", "Mode", "%s", bond_modes },
        { "miimon", "MIIMonitorSec", "%sms" },
        { "updelay", "UpDelaySec", "%sms" },
        { "downdelay", "DownDelaySec", "%sms" },
        { "lacp_rate", "LACPTransmitRate", "%s", rates },
        { "xmit_hash_policy", "TransmitHashPolicy", "%s", hash_policies },
        { "fail_over_mac", "FailOverMACPolicy", "%s", mac_policies },
        { "primary", NULL, NULL, NULL, true }, // of the member's file
        { "primary_reselect", "PrimaryReselectPolicy", "%s", reselections },
        { "arp_interval", "ARPIntervalSec", "%sms" },
        { "arp_ip_target", "ARPIPTargets", "%s", NULL, true },
        { "arp_validate", "ARPValidate", "%s", arp_validations },
        { "arp_all_targets", "ARPAllTargets", "%s", arp_targets },
        { "ad_select", "AdSelect", "%s", selections },
        { "ad_actor_sys_prio", "AdActorSystemPriority", "%s" },
        { "ad_user_port_key", "AdUserPortKey", "%s" },
        { "min_links", "MinLinks", "%s" },
        { "all_slaves_active", "AllSlavesActive", "%s" },
        { "num_grat_arp", "GratuitousARP", "%s" },
        { "num_unsol_na", "GratuitousARP", "%s" },
        { "resend_igmp", "ResendIGMP", "%s" },
        { "packets_per_slave", "PacketsPerSlave", "%s" },
        { "lp_interval", "LearnPacketIntervalSec", "%ss" },
        { "tlb_dynamic_lb", "DynamicTransmitLoadBalancing", "%s" },
        { "use_carrier", NULL, NULL },
};

static const struct bond_driver_option *find_driver_option(const char *name) {
        for (size_t i = 0; i < lengthof(driver_options); i++)
                if (strcmp(driver_options[i].name, name) == 0)
                        return &driver_options[i];
        return NULL;
}

bool bond_option_is_known(const char *name) { return find_driver_option(name); }

const char *bond_option_name(size_t index) {
        if (index >= lengthof(driver_options))
                return NULL;
        return driver_options[index].name;
}

const char *bond_option_networkd(const char *name, const char **ret_format) {
        const struct bond_driver_option *option = find_driver_option(name);
        *ret_format = NULL;
        if (!option)
                return NULL;
        *ret_format = option->format;
        return option->networkd;
}

bool bond_option_next(const char **at, struct bond_option *ret) {
        const char *text = *at;
        if (!*text)
                return false;
        size_t size = strcspn(text, ","), name = strcspn(text, "=,");
        const char *value = text + size; // empty without a '='
        if (text[name] == '=')
                value = text + name + 1;
        snprintf(ret->name, sizeof ret->name, "%.*s", (int)name, text);
        snprintf(ret->value, sizeof ret->value, "%.*s", (int)(text + size - value), value);
        *at = text + size + (text[size] == ',');
        return true;
}

void bond_value_join(const char *value, char with, char *ret) {
        char *to = ret;
        for (const char *from = value; *from; from++) {
                *to = *from;
                if (*from == ';')
                        *to = with;
                to++;
        }
        *to = '\0';
}

// ---- values ----

static bool is_number(const char *text) { return *text && strlen(text) < 10 && !text[strspn(text, "0123456789")]; }

static const char *choose_value(const char *const *choices, const char *value) {
        for (size_t i = 0; choices[i]; i++) {
                char number[24];
                snprintf(number, sizeof number, "%zu", i);
                if (strcmp(value, choices[i]) == 0 || strcmp(value, number) == 0)
                        return choices[i];
        }
        return NULL;
}

// Targets are addresses, and a primary member is an interface.
static bool text_is_valid(const char *name, const char *value) {
        static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        if (strcmp(name, "arp_ip_target") != 0)
                return *value && strlen(value) < IFNAMSIZ && value[strspn(value, name_bytes)] == '\0';
        while (*value) {
                char one[INET_ADDRSTRLEN];
                struct in_addr address;
                size_t size = strcspn(value, ";");
                if (size >= sizeof one)
                        return false;
                memcpy(one, value, size);
                one[size] = '\0';
                if (inet_pton(AF_INET, one, &address) != 1)
                        return false;
                value += size + (value[size] == ';');
        }
        return true;
}

const char *bond_option_value(const struct bond_option *option) {
        const struct bond_driver_option *known = find_driver_option(option->name);
        assert(known);
        if (known->choices)
                return choose_value(known->choices, option->value);
        bool is_valid = false;
        if (known->is_text)
                is_valid = text_is_valid(option->name, option->value);
        else
                is_valid = is_number(option->value);
        if (!is_valid)
                return NULL;
        return option->value;
}
