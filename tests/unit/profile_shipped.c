// SPDX-License-Identifier: MIT
// The profiles that kiln ships: they load for both releases, and every template renders in both phases (cluster_load
// renders each of them for the build and for each node).
#include <unistd.h>

#include "base/mem.h"
#include "profile/profile.h"
#include "tests/unit/test.h"

static struct cluster *load(const char *release) {
        struct profile_options options = { .release = release };
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("profiles/cluster.yaml", &options, &cluster, err));
        return cluster;
}

static void check_article(const char *release) {
        struct cluster *cluster = load(release);
        if (!cluster)
                return;
        EXPECT_TEXT(cluster->release.name, release);
        EXPECT(cluster->node_count >= 9);
        const struct node *master = cluster_find_node(cluster, "master101");
        EXPECT(master != NULL);
        if (master) {
                EXPECT_TEXT(cluster->roles[master->role].name, "master");
                EXPECT(master->id == 1);
        }
        const struct role *role = cluster_find_role(cluster, "master");
        EXPECT(role && role->ensemble && role->node_count == 3);
        cluster_free(cluster);
}

static void loads_for_lab(void) { check_article("lab"); }
static void loads_for_centos(void) { check_article("centos-7.2"); }

// The example for later releases, on each of them.
static void example_loads_for_others(void) {
        static const char *const releases[] = { "rocky-9",         "rocky-8",          "almalinux-9",
                                                "centos-stream-9", "centos-stream-10", "fedora-44" };
        for (size_t i = 0; i < lengthof(releases); i++) {
                struct profile_options options = { .release = releases[i] };
                struct cluster *cluster = NULL;
                EXPECT_OK(cluster_load("profiles/rocky-9.yaml", &options, &cluster, err));
                if (!cluster)
                        continue;
                EXPECT_TEXT(cluster->release.name, releases[i]);
                const struct repository *first = &cluster->release.repositories[0];
                const char *url = first->metalink;
                if (first->base_urls.count > 0)
                        url = first->base_urls.items[0];
                EXPECT(url && !strchr(url, '$'));
                cluster_free(cluster);
        }
}

int main(void) {
        RUN(loads_for_lab);
        RUN(loads_for_centos);
        RUN(example_loads_for_others);
        return test_done();
}
