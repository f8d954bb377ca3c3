// SPDX-License-Identifier: MIT
// A cluster file and a role file as they are written: what the tables fill, before it is joined into a cluster.
#ifndef KILN_PROFILE_PROFILE_FILES_H
#define KILN_PROFILE_PROFILE_FILES_H

#include "profile/profile.h"
#include "profile/reader/profile_folder.h"
#include "profile/reader/schema.h"

struct cluster_paths {
        const char *roles, *releases, *overlays, *kickstart; // as seen from the working directory
};

// Without an example where `paths` names the own one, or kiln is not installed.
struct profile_folders {
        struct profile_folder roles, releases, overlays, kickstart;
};

struct node_row {
        struct node node;
        const char *role;
};

struct cluster_file {
        struct place place;
        const char *name, *release, *report_url, *http_base;
        int status_port;
        struct cluster_paths paths;
        struct profile_folders folders;
        struct strings roles, inherits;
        struct network *networks;
        size_t network_count;
        struct vip *vips;
        size_t vip_count;
        struct node_row *nodes;
        size_t node_count;
        const struct value *variables, *node_variables; // `default`
        struct dhcp_profile dhcp;
        struct state_disk state_disk;
        struct strings trusted_keys; // as written
        struct strings admin_networks;
        struct strings mirrors;
        struct strings secrets;
        const char *boot_menu_password;
        int64_t minimum_serial;
        int secure_boot;          // enum secure_boot_chain
        int iso;                  // enum iso_delivery
        const struct value *tree; // for the places of single values
};

struct attributes {
        struct place place;
        const char *path, *owner, *group;
        int mode;
        struct strings services;
};

// A role file as written; what a row does not give is NULL, -1 or empty.
struct role_file {
        struct place place;
        const char *name, *path, *description;
        struct strings inherits, packages, overlays;
        bool is_abstract;
        int ensemble, strangers;
        struct strings services_enable, services_disable, services_cluster;
        const char *default_target, *overlay_size, *on_failure, *boot_menu;
        int64_t reboot_delay_s;
        const struct value *sysctl, *variables; // `default`
        struct user *users;
        size_t user_count;
        struct file *files;
        size_t file_count;
        struct attributes *attributes;
        size_t attribute_count;
        struct strings remove, kernel_arguments;
        struct state_path *state;
        size_t state_count;
        struct state_disk state_disk;        // as written: `wanted` is state_disk_join()'s
        int reserve_memory_mb, reserve_cpus; // -1: not given
        struct health_check *health;
        size_t health_count;
        struct agreement *agreements;
        size_t agreement_count;
        const char *need;
        struct rollout_keys rollout; // as written: rollout_join() knows whether it is
        struct firewall_rule *firewall;
        size_t firewall_count;
        const char *kickstart;
        const struct value *tree;
        bool is_example; // it was installed with kiln, and is no file of the cluster's own
        bool usable;     // it was read; otherwise that was reported
        bool visiting;   // inheritance: on the way from the role to its ancestors
};

#endif
