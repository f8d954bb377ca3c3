#include "manual.h"

#include <stdio.h>

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
                           "points to the newest.\n"
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
        printf(".It Fl -%s", option->name);
        if (option->value)
                printf(" Ar %s", option->value);
        printf("\n%s\n", option->help);
}

void manual_print(const struct verb *verbs, size_t count) {
        fputs(head, stdout);
        for (size_t i = 0; i < count; i++)
                printf(".Nm kiln %s\n.Op Ar OPTION ...\n.Ar %s\n", verbs[i].name, verbs[i].arguments);
        fputs(description, stdout);
        for (size_t i = 0; i < count; i++) {
                printf(".Ss kiln %s %s\n%s\n.Bl -tag -width Ds\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
                options_each(&verbs[i], print_option, NULL);
                puts(".El");
        }
        fputs(tail, stdout);
        print_exit_status();
}

static void print_word(const struct option_text *option, void *context) {
        (void)context;
        printf("--%s ", option->name);
}

void completion_print(const struct verb *verbs, size_t count) {
        puts("_kiln() {\n"
             "        local word=${COMP_WORDS[COMP_CWORD]}\n"
             "        if [ \"$COMP_CWORD\" = 1 ]; then");
        printf("                mapfile -t COMPREPLY < <(compgen -W \"");
        for (size_t i = 0; i < count; i++)
                printf("%s ", verbs[i].name);
        puts("\" -- \"$word\")\n                return\n        fi\n        local options=\n"
             "        case ${COMP_WORDS[1]} in");
        for (size_t i = 0; i < count; i++) {
                printf("        %s) options=\"", verbs[i].name);
                options_each(&verbs[i], print_word, NULL);
                puts("\" ;;");
        }
        puts("        esac\n"
             "        case $word in\n"
             "        -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
             "        *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
             "        esac\n"
             "}\ncomplete -F _kiln kiln");
}
