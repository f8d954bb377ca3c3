// The options of the bonding driver (Documentation/networking/bonding.rst), and what systemd.netdev(5) calls them.
#include <stdio.h>

#include "firmware/node/network_internal.h"

#define MIIMON_STANDARD "miimon=100" // without a monitor a bond never leaves a dead link

static const char *const modes[] = { "balance-rr", "active-backup", "balance-xor", "broadcast",
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
        { "mode", "Mode", "%s", modes },
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

static const struct bond_driver_option *find_option(const char *name) {
        for (size_t i = 0; i < lengthof(driver_options); i++)
                if (strcmp(driver_options[i].name, name) == 0)
                        return &driver_options[i];
        return NULL;
}

const char *bond_option_networkd(const char *name, const char **ret_format) {
        const struct bond_driver_option *option = find_option(name);
        *ret_format = option ? option->format : NULL;
        return option ? option->networkd : NULL;
}

bool bond_option_next(const char **at, struct bond_option *ret) {
        const char *text = *at;
        if (!*text)
                return false;
        size_t size = strcspn(text, ","), name = strcspn(text, "=,");
        const char *value = text[name] == '=' ? text + name + 1 : text + size;
        snprintf(ret->name, sizeof ret->name, "%.*s", (int)name, text);
        snprintf(ret->value, sizeof ret->value, "%.*s", (int)(text + size - value), value);
        *at = text + size + (text[size] == ',');
        return true;
}

void bond_value_join(const char *value, char with, char *ret) {
        for (; *value; value++)
                *ret++ = *value == ';' ? with : *value;
        *ret = '\0';
}

// ---- checking ----

static bool is_number(const char *text) { return *text && strlen(text) < 10 && !text[strspn(text, "0123456789")]; }

static const char *choose(const char *const *choices, const char *value) {
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
        if (strcmp(name, "arp_ip_target") != 0)
                return interface_name_is_valid(value);
        while (*value) {
                char one[ADDRESS_TEXT_SIZE];
                uint32_t address;
                size_t size = strcspn(value, ";");
                if (size >= sizeof one)
                        return false;
                memcpy(one, value, size);
                one[size] = '\0';
                if (!address_parse(one, &address))
                        return false;
                value += size + (value[size] == ';');
        }
        return true;
}

static const char *normal_value(const struct bond_option *option) {
        const struct bond_driver_option *known = find_option(option->name);
        if (known->choices)
                return choose(known->choices, option->value);
        return (known->is_text ? text_is_valid(option->name, option->value) : is_number(option->value)) ? option->value
                                                                                                        : NULL;
}

static bool append(char *text, const char *name, const char *value) {
        size_t size = strlen(text);
        int added = snprintf(text + size, BOND_OPTIONS_SIZE - size, "%s%s=%s", size ? "," : "", name, value);
        return added > 0 && size + (size_t)added < BOND_OPTIONS_SIZE;
}

bool bond_options_normalise(const char *options, const char *what, char ret[static BOND_OPTIONS_SIZE],
                            struct err *err) {
        struct bond_option option;
        bool has_monitor = false, fits = true;
        ret[0] = '\0';
        while (bond_option_next(&options, &option)) {
                if (!find_option(option.name))
                        return fail(err, ERR_IDENTITY, 0, "bond %s: the bonding driver has no option \"%s\"", what,
                                    option.name);
                const char *value = normal_value(&option);
                if (!value)
                        return fail(err, ERR_IDENTITY, 0, "bond %s: option %s cannot be \"%s\"", what, option.name,
                                    option.value);
                has_monitor |= strcmp(option.name, "miimon") == 0 || strcmp(option.name, "arp_interval") == 0;
                fits &= append(ret, option.name, value);
        }
        if (!has_monitor) {
                const char *monitor = MIIMON_STANDARD;
                fits &= bond_option_next(&monitor, &option) && append(ret, option.name, option.value);
        }
        return fits || fail(err, ERR_IDENTITY, 0, "bond %s: its options are too long", what);
}
