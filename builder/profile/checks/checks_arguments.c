// SPDX-License-Identifier: MIT
// Kernel arguments: what every boot loader passes on as it is written, and how much the kernel keeps.
#include <string.h>

#include "profile/checks/checks.h"

// What one loader would make of a word that is not meant for it. Each argument goes through all of them.
static const struct loader_language {
        const char *loader, *characters, *words[4], *beginnings;
} loader_languages[] = {
        // `append` takes the rest of its line as it is.
        { .loader = "isolinux and pxelinux", .characters = "" },
        // Its entries stand in single quotes, which nothing but another one ends.
        { .loader = "GRUB", .characters = "'" },
        // Settings are filled in, commands are joined and comments begun by whole words (core/exec.c).
        { .loader = "iPXE", .characters = "${}", .words = { "&&", "||", ";" }, .beginnings = "#" },
        // `bootloader --append="..."` is written to /etc/default/grub, which is a shell script.
        { .loader = "Anaconda, and the shell that reads /etc/default/grub", .characters = "\"\\$`" },
};

// What the language reads in an argument, or NULL.
static const char *find_special(struct arena *arena, const struct loader_language *language, const char *argument) {
        for (size_t i = 0; i < lengthof(language->words) && language->words[i]; i++)
                if (strcmp(argument, language->words[i]) == 0)
                        return language->words[i];
        if (language->beginnings && argument[0] && strchr(language->beginnings, argument[0]))
                return arena_strndup(arena, argument, 1);
        const char *found = strpbrk(argument, language->characters);
        if (!found)
                return NULL;
        return arena_strndup(arena, found, 1);
}

static void check_argument(struct loader *loader, const struct value *argument) {
        if (argument->type != VALUE_SCALAR)
                return;
        for (size_t i = 0; i < lengthof(loader_languages); i++) {
                const struct loader_language *language = &loader_languages[i];
                const char *special = find_special(loader->arena, language, argument->text);
                if (!special)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, &argument->place,
                       "kernel argument `%s`: `%s` means something to %s, and would not reach the kernel",
                       argument->text, special, language->loader);
                return;
        }
}

void check_arguments(struct loader *loader, const struct value *list) {
        if (!list)
                return;
        if (list->type != VALUE_LIST)
                check_argument(loader, list);
        for (size_t i = 0; list->type == VALUE_LIST && i < list->count; i++)
                check_argument(loader, list->items[i]);
}

// ---- the length ----

enum {
        COMMAND_LINE_MAX_BYTES = 2047, // x86's COMMAND_LINE_SIZE is 2048, with the NUL
        ROOT_BYTES = 64,               // " kiln.root=", and what says where the root is
        BOOTIF_BYTES = 28,             // " BOOTIF=01-xx-xx-xx-xx-xx-xx"
        IMAGES = 6,                    // BOOT_IMAGE= and initrd= of each image, which loaders add
        IMAGE_BYTES = 48,              // of each, beside the name of the role
};

static size_t arguments_bytes(const struct strings *arguments) {
        size_t bytes = 0;
        for (size_t i = 0; i < arguments->count; i++)
                bytes += strlen(arguments->items[i]) + 1;
        return bytes;
}

// " kiln.node=NAME ip=IP::GATEWAY:MASK:NAME:MAC:none nameserver=IP..." at its longest.
static size_t node_bytes(const struct cluster *cluster, const struct node *node) {
        static const char longest[] = " kiln.node= ip=255.255.255.255::255.255.255.255:255.255.255.255::"
                                      "00-00-00-00-00-00:none";
        size_t bytes = sizeof longest + 2 * strlen(node->name);
        const struct strings *dns = &cluster->networks[node->network].dns;
        for (size_t i = 0; i < dns->count; i++)
                bytes += strlen(" nameserver=") + strlen(dns->items[i]);
        return bytes;
}

void check_command_line(struct loader *loader, const struct cluster *cluster, const struct role *role) {
        size_t own = strlen(" kiln.role=") + strlen(role->name) + ROOT_BYTES + BOOTIF_BYTES +
                     IMAGES * (IMAGE_BYTES + strlen(role->name));
        size_t longest_node = 0;
        for (size_t i = 0; cluster->network_count > 0 && i < role->node_count; i++)
                longest_node = size_max(longest_node, node_bytes(cluster, &cluster->nodes[role->nodes[i]]));
        own += longest_node;
        size_t written = arguments_bytes(&cluster->release.kernel_arguments) + arguments_bytes(&role->kernel_arguments);
        if (written + own <= COMMAND_LINE_MAX_BYTES)
                return;
        const struct place *place = &role->arguments_place;
        if (!place->file)
                place = &cluster->release.place;
        report(
            loader->diagnostics, ERR_SCHEMA, place,
            "the kernel arguments of role `%s` take %zu bytes, and kiln and the boot loaders add up to %zu: the kernel "
            "cuts its command line after %d",
            role->name, written, own, COMMAND_LINE_MAX_BYTES);
}
