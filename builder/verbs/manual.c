// SPDX-License-Identifier: MIT
#include "verbs/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/mem.h"
#include "verbs/options.h"

static const char head[] = ".Dd November 22, 2026\n"
                           ".Dt KILN 1\n"
                           ".Os\n"
                           ".Sh NAME\n"
                           ".Nm kiln\n"
                           ".Nd bake bootable images for the machines of a cluster\n"
                           ".Sh SYNOPSIS\n";

static const char description[] =
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "reads a cluster file (see the README and\n"
    ".Ql kiln schema ) ,\n"
    "checks the whole cluster, installs the packages of each role in a sandbox, lays the rendered configuration "
    "beside\n"
    "them, and publishes what boots: kernel, initrd, configuration layer, root image, ISO, PXE tree, kickstart files "
    "and\n"
    "manifests, by one rename.\n"
    "It needs no root where the user has subordinate ids.\n"
    "Progress goes to standard error, the path of the published build to standard output.\n";

// What no option's line has room for.
static const char topics[] =
    ".Sh RELEASE FILES\n"
    "A release file,\n"
    ".Pa profiles/releases/NAME.yaml ,\n"
    "says where packages come from and what the distribution is like;\n"
    ".Ql kiln schema release --text\n"
    "explains every key.\n"
    "Repositories are read as yum and dnf read them: the newest version wins wherever it is, unless\n"
    ".Ql priority\n"
    "prefers a repository; no weak dependencies; the native architecture, and a 32-bit library only where it is\n"
    "needed.\n"
    "A request is a NAME, NAME.ARCH, NAME-[EPOCH:]VERSION[-RELEASE[.ARCH]], each part of which may be a glob; what a\n"
    "package provides, as in\n"
    ".Ql java >= 1:1.8.0 ;\n"
    "an absolute path; or @GROUP, by id or title.\n"
    ".Ql excludes\n"
    "and\n"
    ".Ql includes\n"
    "name packages in the same way, but for provides, paths and groups; as in dnf,\n"
    ".Ql kernel-*\n"
    "are the packages whose names begin so, and not kernel itself.\n"
    ".Pp\n"
    ".Ql baseurl\n"
    "is a URL, a path, or a list of either: each is tried in turn, also when what one says of itself is damaged, "
    "wrongly\n"
    "signed or older than what was seen before.\n"
    ".Ql mirrorlist\n"
    "is the URL of a list of such URLs.\n"
    ".Ql metalink\n"
    "is that of a list that also has the digests of the repomd.xml that mirrors must have, and those of earlier ones "
    "that\n"
    "are still good: a mirror with another one is passed over.\n"
    "A list by https therefore vouches for mirrors by http.\n"
    "Its http and https URLs are tried, the preferred first, 64 at most.\n"
    "Messages leave out a URL's user, password and query.\n"
    ".Fl -repo Ar NAME Ns = Ns Ar URL\n"
    "replaces all of them by a mirror or a directory for one run, or by a metalink: a URL whose path ends in "
    "/metalink,\n"
    ".metalink or .meta4.\n"
    ".Sh SANDBOX\n"
    "Packages' scriptlets reach no network, and no file, process, key or device of the host.\n"
    "They have a fixed environment, 2000 processes and threads, and half an hour each.\n"
    "They may do as they like inside of their image.\n"
    "Disk and memory are bounded by what\n"
    ".Nm\n"
    "itself may use: give it a quota or a control group.\n"
    "The layers of a cache are closed to other users.\n"
    ".Sh TRUST\n"
    "A chain leads from the release file to each installed byte.\n"
    "repomd.xml is checked by its signature where\n"
    ".Ql repo_gpgcheck\n"
    "says so, and must not be older than what was seen before; every other metadata file by its checksum in "
    "repomd.xml;\n"
    "every package by its size and checksum there, its header against the metadata, and by its own signature, unless\n"
    ".Ql trust: digest\n"
    "says that the repository does not sign.\n"
    "A key counts if it has one of the\n"
    ".Ql fingerprints ,\n"
    "wherever it came from; only a key file of this machine may do without.\n"
    "Below the URL of a repository that\n"
    ".Fl -repo\n"
    "replaced, it is looked for in the replacement first.\n"
    "Expired, revoked and short keys (less than 2048 bits) are refused, and so is SHA-1, unless\n"
    ".Ql allow_sha1\n"
    "allows it for a repository.\n"
    ".Sh LOCK FILES\n"
    "Text to be committed and reviewed, sorted, so that a change of one package is a change of one line:\n"
    ".Bd -literal -offset indent\n"
    "kiln-lock 1\n"
    "cluster NAME\n"
    "release NAME sha256:DIGEST\n"
    "profile sha256:DIGEST\n"
    "roles ROLE ...\n"
    "\n"
    "NEVRA REPOSITORY BYTES sha256:DIGEST USER,...\n"
    ".Ed\n"
    ".Pp\n"
    "The digests of release and profile cover what decides the choice of packages: architecture, repositories,\n"
    "priorities, excludes and includes; the kernel's, the boot loaders' and the roles' packages.\n"
    "While they fit, builds take the listed files as they are; otherwise they solve again from those files alone and\n"
    "warn of what differs, or fail if that is not enough.\n"
    "A USER is a role, @all for every role, @base for the layer that roles share, or @bootloader.\n"
    "After a merge with conflicts take one side's file whole and run\n"
    ".Ql kiln lock .\n"
    ".Sh VERIFYING\n"
    "A build's\n"
    ".Pa manifest.json\n"
    "has the options that decided it, values of\n"
    ".Fl -set\n"
    "included, and a digest of every profile;\n"
    ".Pa packages.lock\n"
    "its packages.\n"
    ".Ql kiln verify\n"
    "makes the build again from these, below the cache, with nothing from there but packages, metadata and keys, and\n"
    "removes it.\n"
    "Bytes and lines of differences: bytes count from 0, lines from 1.\n"
    "Cluster file, release file, cache and repositories are those of\n"
    ".Pa OUT/CLUSTER/.origin-BUILD ,\n"
    "which\n"
    ".Ql kiln build\n"
    "writes beside the build, readable by its owner only, unless the command line names others.\n"
    "With\n"
    ".Pa OUT/CLUSTER/.seal-BUILD ,\n"
    "which lies there too,\n"
    ".Ql kiln build\n"
    "knows whether a build that is there already is as it was published.\n"
    "One that is not is made again, and a warning says what was not.\n"
    ".Sh RELEASES\n"
    ".Pa OUT/CLUSTER/current\n"
    "is what machines boot.\n"
    "It names the newest whole build.\n"
    "A build with\n"
    ".Fl -only ,\n"
    "or without a role, is a part: it gets to\n"
    ".Pa OUT/CLUSTER/partial/BUILD ,\n"
    "and\n"
    ".Pa current\n"
    "stays as it is, for machines of the other roles would not boot from it.\n"
    ".Pp\n"
    ".Ql kiln builds\n"
    "lists each build with the time of its publication, its megabytes, and those of them that no other build and no\n"
    "cache shares, which is what its end frees if it lies on the cache's file system.\n"
    ".Ql kiln builds --prune\n"
    "never removes the one that is current, nor marked ones\n"
    ".Pq Pa OUT/CLUSTER/.mark-BUILD .\n"
    "What machines run is not known to it: mark that, or keep enough.\n"
    ".Ql kiln publish\n"
    "reads the whole build, compares it with what was published, and moves\n"
    ".Pa current\n"
    "there by one rename, backwards too.\n"
    "BUILD is an id, the beginning of one, or a path.\n"
    ".Pp\n"
    ".Ql kiln status\n"
    "asks what the roles'\n"
    ".Ql health\n"
    "says of every node at once, compares what they say by\n"
    ".Ql agreements ,\n"
    "and asks through the virtual addresses; \n"
    ".Ql need\n"
    "is how many nodes of a role must be healthy for the cluster to serve.\n"
    "It exits with 0 for healthy, 1 for degraded (it serves, and something is wrong), 2 for not serving, and 3 where\n"
    "nothing answers, so that this machine's network may be at fault.\n"
    "A role or a virtual address of which nothing is asked is unknown, and lets the cluster be degraded at best.\n"
    "For each virtual address every card that answers ARP is asked for, if the user may (CAP_NET_RAW); two machines,\n"
    "or one of another role, are not serving.\n"
    "Clocks of nodes that differ by more than 2 seconds, by the Date of what they answer, are degraded.\n"
    "With the cluster's\n"
    ".Ql status_port\n"
    "every machine is asked, too, which build it runs (what OUT/CLUSTER/current names is wanted, or\n"
    ".Ql --build ) ,\n"
    "whether a file system is more than 90 % full, which units failed, for its state disk, its network, its time and "
    "the\n"
    "virtual addresses that it holds; each of these that is wrong is degraded, but for two that hold one address.\n"
    "With\n"
    ".Ql --wait\n"
    "it ends once all is healthy, or the time is over;\n"
    ".Ql --watch\n"
    "shows each look.\n"
    ".Ql kiln schema status\n"
    "prints what\n"
    ".Ql --json\n"
    "holds to.\n"
    ".Pp\n"
    ".Ql kiln rack up\n"
    "makes the machines of an inventory in QEMU, on a bridge in a network namespace of its own, and boots them by PXE\n"
    "from a\n"
    ".Ql kiln serve\n"
    "that runs in there.\n"
    "With a CLUSTER.yaml it starts a rack, of all nodes or those that are named; without one it switches nodes of the\n"
    "rack that is up on, and if none is up takes\n"
    ".Pa profiles/cluster.yaml .\n"
    "A rack is ended by Ctrl-C,\n"
    ".Ql kiln rack down ,\n"
    "or the end of kiln, however that comes; nothing of it is left but its logs.\n"
    "Its directory, below\n"
    ".Ev XDG_RUNTIME_DIR\n"
    "or in /run/kiln/rack for root, has\n"
    ".Pa NODE.log\n"
    "with all that the serial port of a node has said,\n"
    ".Pa serve.log ,\n"
    "and\n"
    ".Pa journal :\n"
    "what was done to which machine, and when.\n"
    "A machine waits for its turn until one of those that boot has a service that answers, has failed, or has taken\n"
    "five minutes.\n"
    ".Ql kiln rack ps\n"
    "shows the stage that kiln serve knows of each machine; healthy, services and silent are what the health checks "
    "of\n"
    "its role say: all are right, some are, none answers any more.\n"
    "The machines find kiln serve at the host of\n"
    ".Ql report_url\n"
    "or\n"
    ".Ql http_base\n"
    "if that is an address of a network of the cluster, else at the gateway.\n"
    "All networks of a cluster are one cable, on which kiln has the gateways' addresses and routes between them.\n"
    ".Ql kiln rack ssh NODE\n"
    "logs in as root;\n"
    ".Ql kiln rack run -- COMMAND\n"
    "ends with the exit status of the command.\n"
    ".Pp\n"
    ".Ql kiln rack fault KIND NODE [VALUE]\n"
    "breaks something of a machine, and prints its name: NODE may be\n"
    ".Ql any\n"
    "or\n"
    ".Ql any:ROLE ,\n"
    "and then the rack's seed chooses one that is on, the same one each time\n"
    ".Pq Fl -seed .\n"
    "Each fault is in the journal.\n"
    ".Bl -tag -width clock.TIME -compact\n"
    ".It Li cut\n"
    "its power\n"
    ".It Li cable\n"
    "its cables are out, which it sees\n"
    ".It Li delay Ar MS , Li loss Ar PERCENT , Li corrupt Ar PERCENT\n"
    "of what is sent to it, where the kernel has netem\n"
    ".It Li disk\n"
    "its state disk takes no more writes, as a thin one whose pool is full: it sees errors\n"
    ".It Li mac Ar MAC | NODE\n"
    "it has another MAC, or that of another node, and is started anew\n"
    ".It Li clock Ar TIME\n"
    "it is started anew with another time: 2026-01-31T12:00:00, or behind\n"
    ".Ql --\n"
    "-90d, +2h, +5m, -30s from now\n"
    ".It Li none\n"
    "all is well again; a wrong MAC or clock ends with its next start\n"
    ".El\n"
    ".Pp\n"
    ".Ql kiln diff\n"
    "compares two builds by their manifests and configuration layers: packages, kernel and arguments, files, units,\n"
    "users, sizes, and for each node the files that are rendered on it, how much of the machine changes, and why.\n"
    "A node of which it says\n"
    ".Ql nothing\n"
    "would boot from the same bytes but for the build's name.\n"
    "What only the machine knows, and secrets, are shown as their names: <node.machine.cpus>.\n"
    "It exits with 0 if the two are the same and with 1 if not.\n"
    ".Pp\n"
    "An ISO is a copy of the root.\n"
    "On file systems that share blocks (XFS, btrfs) it costs little if cache and output lie on the same one; "
    "elsewhere\n"
    ".Ql iso: on demand\n"
    "of the cluster file has a build hold\n"
    ".Pa ROLE/CLUSTER-ROLE.iso.parts ,\n"
    "from which and the role's other files\n"
    ".Ql kiln iso BUILD ROLE\n"
    "writes the very bytes that would have been published, and checks their digest.\n"
    ".Sh TEMPLATES\n"
    "Files of an overlay whose names end with .tmpl, and those of a role file with\n"
    ".Ql template: true ,\n"
    "are mustache templates: {{NAME}}, {{#SECTION}}, {{^INVERTED}}, {{! comment }}.\n"
    "When the image is made they see\n"
    ".Bl -tag -width release.variables -compact\n"
    ".It Va cluster.name , release.name , role.name\n"
    "and\n"
    ".Va variables , release.variables :\n"
    "what the cluster file and the release file say\n"
    ".It Va networks.NAME\n"
    "its name, subnet, address, prefix, netmask, gateway, subnet6, prefix6, gateway6, dns\n"
    ".It Va vips.NAME\n"
    "its name, ip, vrrp_id, prefix, role\n"
    ".It Va nodes\n"
    "all of the inventory: name, role, ip, mac, id, index (from 0, in its role), prefix, netmask, gateway, ip6, "
    "prefix6,\n"
    "gateway6, variables\n"
    ".It Va roles.NAME\n"
    "nodes, count and quorum of a role, for those that the nodes have and those that these inherit: a node is counted "
    "among the nodes of every role that its own inherits\n"
    ".It Va role.firewall , admin_networks\n"
    "who may come in: name, protocol, number, port, source\n"
    ".El\n"
    "The machine fills in at its boot what begins with\n"
    ".Va node\n"
    "or\n"
    ".Va secrets :\n"
    "node.name, hostname, role, ip, mac, id, index, prefix, netmask, gateway, ip6, prefix6, gateway6, interface, "
    "network,\n"
    "dns, variables,\n"
    "machine.memory_mb, cpus, task_memory_mb and task_cpus, and\n"
    ".Va node.others.ROLE ,\n"
    "the nodes of that role but this one, as in {{#node.others.balancer}}{{ip}} {{/node.others.balancer}}; each has "
    "what\n"
    ".Va nodes\n"
    "have, but for variables.\n"
    "In a section over a list an item's own names come first; each also has first, last and position (1, 2, ...), and "
    "a "
    "text is {{.}}.\n"
    ".Sh SECRETS\n"
    "Values that no image, manifest or log holds: the cluster file names them,\n"
    ".Ql secrets: [NAME] ;\n"
    "templates of roles' files have them as {{secrets.NAME}}; nodes take them from a file\n"
    ".Pa kiln.secrets\n"
    "on the config drive or state disk (kiln-node(8), SECRETS).\n"
    ".Ql kiln secret put FILE NAME\n"
    "asks for a value, or reads it from standard input, and leaves other names and comments as they are.\n"
    "FILE is the text file, or the image of a config drive (ISO 9660) where its name ends with .iso or .img.\n"
    "It has mode 0600 and is not encrypted.\n"
    ".Sh SIGNING\n"
    ".Fl -sign Ar KEY\n"
    "writes\n"
    ".Pa SHA256SUMS.sig\n"
    "and\n"
    ".Pa manifest.json.sig\n"
    "(namespace kiln-build of SSHSIG), and for each role\n"
    ".Pa ROLE/boot.sums.sig\n"
    "(kiln-layer), all to be checked by\n"
    ".Ql ssh-keygen -Y verify ;\n"
    "and into\n"
    ".Pa config.cpio\n"
    "the signature of the list of all that it holds, with cluster, role, build, serial and the root's digest.\n"
    "Nodes with a state disk remember the highest serial that came up there, and refuse a lower one unless an "
    "operator\n"
    "allows it at the machine: once\n"
    ".Fl -serial\n"
    "was given, give it with each release, without it the serial is 0.\n"
    "Where the cluster file has\n"
    ".Li trusted_keys ,\n"
    "the initrd holds them, and boots what one of them signed.\n"
    "List the next key beside the present one before it signs: nodes learn of keys with their initrd.\n"
    "The kernel unpacks what the boot loader brings before the initrd can look at it: the keys are as good as what\n"
    "vouches for kernel and initrd, such as a medium in hand or a signed loader.\n"
    "The id of a build does not depend on its signatures: a build that is there is made again and replaced if the key\n"
    "has not signed it.\n"
    ".Ql kiln verify\n"
    "takes the trusted_keys of the cluster file without\n"
    ".Fl -set ,\n"
    "or those of\n"
    ".Fl -key ,\n"
    "which is what to use where the output directory and what lies beside the build are not yours.\n"
    ".Sh SECURE BOOT\n"
    "With\n"
    ".Li secure_boot: own\n"
    "in the cluster file, or\n"
    ".Fl -only Li uki ,\n"
    "each role gets\n"
    ".Pa ROLE/kiln.efi ,\n"
    "a unified kernel image: systemd's EFI stub with kernel, initrd (which holds\n"
    ".Li trusted_keys )\n"
    "and command line as sections.\n"
    ".Fl -secure-boot-key\n"
    "and\n"
    ".Fl -secure-boot-cert\n"
    "sign it for firmware that has the certificate in its db: RSA, PEM, no passphrase, and no time in the signature, "
    "so "
    "that\n"
    "the same key gives the same bytes.\n"
    "Firmware starts it by PXE\n"
    ".Pq Pa pxe/images/ROLE/kiln.efi ,\n"
    "by HTTP Boot, and from the role's ISO, whose EFI system partition holds it in GRUB's place and without a menu.\n"
    "It looks ten seconds for the role's medium, then fetches\n"
    ".Pa current/ROLE/rootfs.squashfs\n"
    "below\n"
    ".Fl -http-base ,\n"
    "with an address of DHCP; in the same place it finds the configuration layer, which it unpacks only after a "
    "trusted "
    "key's\n"
    "signature over its digest was checked.\n"
    "It does not depend on the configuration: a build that changes nothing else has the same file.\n"
    "With Secure Boot the stub takes no command line but its own; without, whoever starts it may give another.\n"
    "The stub is Debian's\n"
    ".Pa " UKI_STUB "\n"
    "or that of\n"
    ".Fl -uki-stub ;\n"
    "its digest is among the build's inputs.\n"
    ".Sh CACHE\n"
    ".Bl -tag -width squashfs/xx -compact\n"
    ".It Pa packages/\n"
    "packages, by checksum; what a directory or file:// URL has is copied here too, so that what was verified is what "
    "is\n"
    "installed\n"
    ".It Pa repos/\n"
    "metadata, a directory a base URL, with libsolv's form of it (.solv)\n"
    ".It Pa keys/\n"
    "keys, by the hash of their URL or path\n"
    ".It Pa layers/ , squashfs/ , kernel/ , initrd/ , iso/ , bootloader/\n"
    "installed roots and what was made of them, by the hash of all that decides them\n"
    ".It Pa used/\n"
    "what each build and fetch needed, for\n"
    ".Ql kiln cache --prune\n"
    ".It Pa verified\n"
    "files whose digest and signature were checked, with their times, so that they are not read again\n"
    ".El\n"
    ".Pp\n"
    "Any number of kilns of one user may share a cache, and all of it may be deleted while none is at work.\n"
    ".Pp\n"
    "Entries are named after everything that decides them, down to the versions of kiln and of the libraries that\n"
    "make them: after an upgrade they are made anew.\n"
    "A cache may be copied, or kept in an archive between runs of CI.\n"
    "Installed packages that lost owners, capabilities, device nodes or hard links on the way are noticed, and made\n"
    "again; to keep them, archive as root with\n"
    ".Ql tar --xattrs --xattrs-include=*\n"
    "and unpack so, too.\n"
    ".Pp\n"
    "What the cache holds is trusted by inode, size and both times, and where these moved by its digest: a file that\n"
    "is written to, cut, replaced or removed is noticed before an image is made of it, and made again, also if its\n"
    "time was set back.\n"
    "Layers and boot loaders that are about to be read are digested.\n"
    "While the packed root is whole, a build that only renders configuration reads names and units of the installed\n"
    "packages without looking through all of them.\n";

static const char tail[] = ".Sh ENVIRONMENT\n"
                           ".Bl -tag -width Ds\n"
                           ".It Ev SOURCE_DATE_EPOCH\n"
                           "Seconds since 1970 that every time stamp in the artefacts gets; a fixed date by default.\n"
                           ".It Ev XDG_CACHE_HOME\n"
                           "Where the cache is, unless\n"
                           ".Fl -cache\n"
                           "says so.\n"
                           ".El\n"
                           ".Sh FILES\n"
                           ".Bl -tag -width Ds\n"
                           ".It Pa OUT/CLUSTER/BUILD/\n"
                           "A published build;\n"
                           ".Pa OUT/CLUSTER/current\n"
                           "points to the newest, parts in\n"
                           ".Pa OUT/CLUSTER/partial/\n"
                           "left out.\n"
                           ".It Pa CLUSTER.RELEASE.lock\n"
                           "Beside the cluster file: the packages that builds with this release take, one a line;\n"
                           "written by\n"
                           ".Ql kiln lock .\n"
                           ".El\n";

static void print_exit_status(void) {
        puts(".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nsuccess");
#define X(name, code, meaning) printf(".It %d\n%s\n", code, meaning);
        ERR_KINDS(X)
#undef X
        puts(".El");
}

static void print_option(const struct option_text *option, void *context) {
        (void)context;
        printf(".It ");
        if (option->letter)
                printf("Fl %c , ", option->letter);
        printf("Fl -%s", option->name);
        if (option->value)
                printf(" Ar %s", option->value);
        printf("\n%s\n", option->help);
}

static void print_verb(const struct verb *verb) {
        printf(".Ss kiln %s %s\n%s\n.Bl -tag -width Ds\n", verb->name, verb->arguments, verb->summary);
        options_each(verb, print_option, NULL);
        puts(".El");
}

void manual_print(void) {
        fputs(head, stdout);
        for (size_t i = 0; i < verb_table_count; i++)
                printf(".Nm kiln %s\n.Op Ar OPTION ...\n.Ar %s\n", verb_table[i].name, verb_table[i].arguments);
        fputs(description, stdout);
        for (size_t i = 0; i < verb_table_count; i++)
                print_verb(&verb_table[i]);
        fputs(topics, stdout);
        fputs(tail, stdout);
        print_exit_status();
}

// ---- completion ----

static void print_word(const struct option_text *option, void *context) {
        (void)context;
        printf("--%s ", option->name);
}

// The sub-verbs of "up|ps|down [ARGUMENT...]": words to choose from, where a first argument is one of several.
static void print_choices(const char *arguments) {
        size_t length = strcspn(arguments, " ");
        bool has_choices = memchr(arguments, '|', length) && islower((unsigned char)arguments[0]);
        if (!has_choices)
                return;
        for (size_t i = 0; i < length; i++)
                putchar(arguments[i] == '|' ? ' ' : arguments[i]);
}

void completion_print(void) {
        puts("_kiln() {\n"
             "        local word=${COMP_WORDS[COMP_CWORD]}\n"
             "        if [ \"$COMP_CWORD\" = 1 ]; then");
        printf("                mapfile -t COMPREPLY < <(compgen -W \"");
        for (size_t i = 0; i < verb_table_count; i++)
                printf("%s ", verb_table[i].name);
        puts("\" -- \"$word\")\n                return\n        fi\n        local options= choices=\n"
             "        case ${COMP_WORDS[1]} in");
        for (size_t i = 0; i < verb_table_count; i++) {
                printf("        %s) options=\"", verb_table[i].name);
                options_each(&verb_table[i], print_word, NULL);
                printf("\" choices=\"");
                print_choices(verb_table[i].arguments);
                puts("\" ;;");
        }
        puts("        esac\n"
             "        if [ \"$COMP_CWORD\" = 2 ] && [ \"$choices\" ] && [[ $word != -* ]]; then\n"
             "                mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$word\")\n"
             "                return\n"
             "        fi\n"
             "        case $word in\n"
             "        -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
             "        *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
             "        esac\n"
             "}\ncomplete -F _kiln kiln");
}

// ---- --help ----

void usage_print(FILE *to) {
        fputs("usage: kiln VERB [OPTION]... ARGUMENT...\n\n", to);
        for (size_t i = 0; i < verb_table_count; i++)
                fprintf(to, "  %-8s %-25s %s\n", verb_table[i].name, verb_table[i].arguments, verb_table[i].summary);
        fputs("\nkiln VERB --help lists a verb's options; kiln --version prints the version;\n"
              "kiln manual and kiln completion print the man page and bash's completion.\n\nexit codes:\n",
              to);
#define X(name, code, meaning) fprintf(to, "  %3d  %s\n", code, meaning);
        ERR_KINDS(X)
#undef X
}

static void print_help_line(const struct option_text *option, void *context) {
        (void)context;
        const char *blank = option->value ? " " : "";
        char letter[] = "-x, ";
        letter[1] = option->letter;
        auto_free char *left =
            xasprintf("%s--%s%s%s", option->letter ? letter : "", option->name, blank, text_or(option->value, ""));
        printf("  %-22s %s\n", left, option->help);
}

void usage_print_verb(const struct verb *verb) {
        printf("usage: kiln %s [OPTION]... %s\n\n%s\n\n", verb->name, verb->arguments, verb->summary);
        options_each(verb, print_help_line, NULL);
}
