// SPDX-License-Identifier: MIT
// Host names with and without their domains: which node they mean, and when they mean none.
#include <stdlib.h>

#include "tests/unit/node.h"
#include "tests/unit/test.h"

#define MAC_OTHER "02:00:00:00:00:99"

static struct trial trial;

static void start(const char *json, const char *command_line, const char *mac) {
        trial_begin(&trial, json, command_line, mac);
}
static bool is(const char *hostname, const char *source) { return trial_becomes(&trial, hostname, source); }
static bool noted(const char *part) { return trial_noted(&trial, part); }
static bool refused(const char *part) { return trial_plan(&trial) && trial_refused(&trial, part); }

// Nodes with their domains, two of which differ in nothing else.
#define FULL                                                                                                           \
        "{\"format\":1,\"cluster\":\"c\",\"role\":\"r\",\"network_writer\":\"ifcfg\",\"strangers\":true,"              \
        "\"networks\":[{\"name\":\"lan\",\"subnet\":\"10.0.0.0/24\"}],\"nodes\":["                                     \
        "{\"name\":\"n1.dc1.example.com\",\"role\":\"r\",\"ip\":\"10.0.0.11\",\"network\":\"lan\","                    \
        "\"aliases\":[\"db\"]},"                                                                                       \
        "{\"name\":\"n2.dc1.example.com\",\"role\":\"r\",\"ip\":\"10.0.0.12\",\"network\":\"lan\"},"                   \
        "{\"name\":\"n2.dc2.example.com\",\"role\":\"r\",\"ip\":\"10.0.0.13\",\"network\":\"lan\"},"                   \
        "{\"name\":\"n3\",\"role\":\"r\",\"ip\":\"10.0.0.14\",\"network\":\"lan\"},"                                   \
        "{\"name\":\"n3.dc1\",\"role\":\"r\",\"ip\":\"10.0.0.15\",\"network\":\"lan\"}]}"

static void a_name_and_its_domain_are_one(void) {
        static const struct {
                const char *line, *hostname, *domain, *fqdn, *want;
        } cases[] = {
                { "", "n2", "dc1.example.com", "", "n2.dc1.example.com" },
                { "", "N2", "DC2.Example.com", "", "n2.dc2.example.com" },
                { "", "n2.dc2.example.com", "dc1.example.com", "", "n2.dc2.example.com" },
                { "", "", "", "n2.dc1.example.com", "n2.dc1.example.com" },
                { "", "n2", "example.org", "n2.dc2.example.com", "n2.dc2.example.com" },
                { "", "n1", "", "", "n1.dc1.example.com" },
                { "", "n1.dc1", "", "", "n1.dc1.example.com" },
                { "", "n3", "dc1", "", "n3.dc1" },
                { "", "n3", "", "", "n3" },
                { "", "n3", "dc1.example.com", "", "n3.dc1" },
                { "", "n3", "dc7", "", "n3" },
                { "kiln.node=n1", "", "", "", "n1.dc1.example.com" },
                { "kiln.node=n2.dc2", "", "", "", "n2.dc2.example.com" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                start(FULL, cases[i].line, MAC_OTHER);
                trial_lease(&trial, MAC_OTHER, "10.0.0.70", cases[i].hostname);
                snprintf(trial.facts.leases[0].domain, DOMAIN_SIZE, "%s", cases[i].domain);
                snprintf(trial.facts.leases[0].fqdn, DOMAIN_SIZE, "%s", cases[i].fqdn);
                bool ok = trial_plan(&trial) && !trial.plan.refusal && strcmp(trial.plan.hostname, cases[i].want) == 0;
                EXPECT(ok);
                if (!ok)
                        printf("# %s %s: %s\n", cases[i].hostname, cases[i].domain, trial.plan.hostname);
        }
        start(FULL, "", MAC_OTHER); // another domain's
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "n1");
        snprintf(trial.facts.leases[0].domain, DOMAIN_SIZE, "example.org");
        EXPECT(is("r-020000000099", "mac address") && noted("a node's name")); // which /etc/hosts has as n1, too
}

static void a_short_name_of_two_is_nobodys(void) {
        start(FULL, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "n2");
        EXPECT(refused("contradiction: DHCP host name n2 (dhcp) is n2.dc1.example.com, and it is n2.dc2.example.com"));
        start(FULL, "kiln.node=n2", MAC_OTHER);
        EXPECT(refused("contradiction: kiln.node=n2 (command line) is n2.dc1.example.com, and it is n2.dc2"));
        start(FULL, "kiln.hostname=n2 kiln.ip=10.0.0.70/24", MAC_OTHER);
        EXPECT(refused("contradiction: kiln.hostname=n2"));
        start(FULL, "", MAC_OTHER); // two sources that are heard differ
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "n2.dc1.example.com");
        snprintf(trial.facts.leases[0].fqdn, DOMAIN_SIZE, "n2.dc2.example.com");
        EXPECT(refused("contradiction: DHCP FQDN n2.dc2.example.com is n2.dc2.example.com (dhcp), but DHCP host name"));
        start(FULL, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "db");
        EXPECT(is("r-020000000099", "mac address") && noted("a node's alias"));
        start(FULL, "kiln.node=n1 kiln.hostname=n1", MAC_OTHER); // without its domain, as the operator wants it
        EXPECT(is("n1", "command line"));
}

int main(void) {
        RUN(a_name_and_its_domain_are_one);
        RUN(a_short_name_of_two_is_nobodys);
        trial_release(&trial);
        return test_done();
}
