// SPDX-License-Identifier: MIT
// The report: what is in it, where it is written, and what comes of a failure.
#include "tests/unit/root.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/run.h"
#include "base/version.h"
#include "firmware/node/report.h"
#include "firmware/node/root/root.h"

static char work[] = "/tmp/kiln-node-report.XXXXXX";
static struct machine machine = { .root = -1 };

static void write_file(const char *path, const char *text) {
        bool changed;
        EXPECT_OK(root_write(machine.root, &(struct root_file){ path, text, strlen(text), 0644, 0, 0 }, &changed, err));
}

static void open_root(void) {
        EXPECT(mkdtemp(work) != NULL);
        machine.root = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(machine.root >= 0);
        machine.inventory =
            (struct inventory){ .cluster = "article", .role = "master", .build = "b1", .release = "lab" };
        snprintf(machine.facts.serial, sizeof machine.facts.serial, "S1");
}

static json_t *read_report(const char *path) {
        auto_buf text = { .max = 1 << 20 };
        bool found = false;
        EXPECT_OK(root_read(machine.root, path, &text, &found, err));
        EXPECT(found);
        return json_loadb(buf_text(&text), text.size, 0, NULL);
}

static const char *text_of(json_t *report, const char *key) {
        const char *text = json_string_value(json_object_get(report, key));
        return text ? text : "(none)";
}

static struct decision decided(void) {
        struct decision decision = { .interfaces_ms = 12, .dhcp_ms = -1 };
        decision.plan.hostname = "master101";
        plan_add_value(&decision.plan, "ip", "192.168.2.71/24", "mac table");
        plan_add_note(&decision.plan, "a note");
        return decision;
}

static void has_values_times_and_versions(void) {
        struct decision decision = decided();
        const struct applied applied = { .changed = 3, .elapsed_ms = 40 };
        write_file("/run/kiln/boot", "root=carried\nkernel_ms=3100\ninitrd_ms=280\n");
        write_file("/run/kiln/state.json", "{\"status\": \"mounted\"}");
        EXPECT_OK(report_write(&machine, &decision, &applied, err));
        json_t *report = read_report("/run/kiln/report.json"), *copy = read_report("/var/lib/kiln/report.json");
        EXPECT(json_equal(report, copy));
        EXPECT_TEXT(text_of(report, "cluster"), "article");
        EXPECT_TEXT(text_of(report, "serial"), "S1");
        EXPECT_TEXT(text_of(report, "hostname"), "master101");
        EXPECT_TEXT(text_of(json_object_get(report, "versions"), "kiln"), KILN_VERSION);
        EXPECT(json_integer_value(json_object_get(report, "elapsed_ms")) == 40);
        EXPECT(json_integer_value(json_object_get(report, "dhcp_ms")) == -1);
        EXPECT(json_is_null(json_object_get(report, "refused")));
        json_t *boot = json_object_get(report, "boot"), *value = json_array_get(json_object_get(report, "values"), 0);
        EXPECT_TEXT(text_of(boot, "root"), "carried");
        EXPECT(json_integer_value(json_object_get(boot, "initrd_ms")) == 280);
        EXPECT_TEXT(text_of(value, "source"), "mac table");
        EXPECT_TEXT(text_of(json_object_get(report, "state"), "status"), "mounted");
        json_decref(report);
        json_decref(copy);
        plan_release(&decision.plan);
}

static void is_written_without_an_initrd_and_beside_nonsense(void) {
        struct decision decision = decided();
        const struct applied applied = { 0 };
        write_file("/run/kiln/boot", "\xff\nno equals\n=1\nx=\ny=99999999999999999999\n");
        write_file("/run/kiln/state.json", "{");
        EXPECT_OK(report_write(&machine, &decision, &applied, err));
        json_t *report = read_report("/run/kiln/report.json");
        EXPECT(json_is_null(json_object_get(report, "state")));
        EXPECT_TEXT(text_of(json_object_get(report, "boot"), "y"), "99999999999999999999");
        json_decref(report);
        plan_release(&decision.plan);
}

static void tells_of_a_failure_of_its_own(void) {
        report_write_failure(&machine, "write /etc/hosts: No space left on device");
        json_t *report = read_report("/run/kiln/report.json");
        EXPECT_TEXT(text_of(report, "failure"), "write /etc/hosts: No space left on device");
        EXPECT_TEXT(text_of(report, "role"), "master");
        EXPECT(!json_object_get(report, "hostname"));
        json_decref(report);
        report_write_failure(&(struct machine){ .root = -1 }, "nothing was opened");
}

// The bytes of the kernel command line and of a volume's label, say. U+009B begins an escape sequence.
static void plays_with_no_terminal(void) {
        struct decision decision = decided();
        write_file("/run/kiln/boot", "root=http://\302\233\377/\nkernel_ms=1\n");
        plan_add_value(&decision.plan, "hostname", "m\033[2J\302\233", "dhcp\377");
        EXPECT_OK(report_write(&machine, &decision, &(struct applied){ 0 }, err));
        auto_buf text = { .max = 1 << 20 };
        bool found;
        EXPECT_OK(root_read(machine.root, "/run/kiln/report.json", &text, &found, err));
        for (size_t i = 0; i < text.size; i++)
                EXPECT((text.data[i] >= ' ' && text.data[i] < 0x7f) || text.data[i] == '\n');
        EXPECT(strstr(buf_text(&text), "\"http://?\?\?/\"") && strstr(buf_text(&text), "\"m?[2J??\""));
        report_write_failure(&machine, "a\377b\302\233");
        json_t *report = read_report("/run/kiln/report.json");
        EXPECT_TEXT(text_of(report, "failure"), "a?b??");
        json_decref(report);
        plan_release(&decision.plan);
}

int main(void) {
        become_root();
        open_root();
        RUN(has_values_times_and_versions);
        RUN(is_written_without_an_initrd_and_beside_nonsense);
        RUN(tells_of_a_failure_of_its_own);
        RUN(plays_with_no_terminal);
        EXPECT_OK(run_command(err, "rm", "-r", work, NULL));
        return test_done();
}
