// SPDX-License-Identifier: MIT
// The grammar of `rollout` in role files.
#include "profile/internal.h"
#include "profile/tables.h"

#define AT_PATTERN "^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?([.][A-Za-z0-9_-]+)?$"
#define AT_MEANS "node, a role, or ROLE.LEAD"
#define AT_HELP "node (the one that is changed), a role (each of its nodes), or ROLE.LEAD (the node that has this lead)"
#define URL_PATH_PATTERN "^/[!-~]*$"
#define URL_PATH_MEANS "a path that begins with `/`"

const char *const rollout_reboot_names[] = { "ssh", "ipmi", "button", NULL };
static const char *const methods[] = { "GET", "POST", "PUT", "DELETE", NULL };

static const struct schema_field lead_rows[] = {
        { "name", "name of the lead: ROLE.LEAD is its node", &type_text, MEMBER(rollout_lead, name), .required = true,
          .pattern = "^[A-Za-z0-9_-]{1,64}$", .pattern_means = "letters, digits, `-` and `_`" },
        { "value", "value of a health check, CHECK.VALUE, that says who leads", &type_text, MEMBER(rollout_lead, value),
          .pattern = "^[A-Za-z0-9_.+-]+[.][A-Za-z0-9_+-]+$", .pattern_means = "CHECK.VALUE" },
        { "is",
          "extended regular expression that the value of the leader matches; absent: the value, which all nodes give "
          "alike, names the leader by its name or address",
          &type_text, MEMBER(rollout_lead, is) },
        { "vip", "who holds a virtual address of the role leads", &type_bool, MEMBER(rollout_lead, vip),
          .fallback = "false" },
};
static const struct schema lead_table =
    SCHEMA(rollout_lead, lead_rows, "a lead", "something in which one of the role's nodes leads");

static const struct schema_field condition_rows[] = {
        { "name", "name for messages", &type_text, MEMBER(rollout_condition, name), .required = true },
        { "at", "whom to ask: " AT_HELP, &type_text, MEMBER(rollout_condition, at), .required = true,
          .pattern = AT_PATTERN, .pattern_means = AT_MEANS },
        { "port", "port of its HTTP", &type_integer, MEMBER(rollout_condition, port), .required = true, .min = 1,
          .max = 65535 },
        { "path", "what is asked for", &type_text, MEMBER(rollout_condition, path), .required = true,
          .pattern = URL_PATH_PATTERN, .pattern_means = URL_PATH_MEANS },
        { "json", "key in the JSON answer, as in a value of `health`", &type_text, MEMBER(rollout_condition, json),
          .required = true },
        { "is", "extended regular expression that it must match", &type_text, MEMBER(rollout_condition, is),
          .required = true },
};
static const struct schema condition_table =
    SCHEMA(rollout_condition, condition_rows, "a condition", "what is waited for before a node is touched");

static const struct schema_field fits_rows[] = {
        { "at", "whom to ask: " AT_HELP, &type_text, MEMBER(rollout_fits, at), .pattern = AT_PATTERN,
          .pattern_means = AT_MEANS },
        { "port", "port of its HTTP", &type_integer, MEMBER(rollout_fits, port), .min = 1, .max = 65535 },
        { "path", "where its state is, JSON", &type_text, MEMBER(rollout_fits, path), .pattern = URL_PATH_PATTERN,
          .pattern_means = URL_PATH_MEANS },
        { "list", "key of the list of nodes in it", &type_text, MEMBER(rollout_fits, list) },
        { "node", "member of an item: the name or address of the node", &type_text, MEMBER(rollout_fits, node) },
        { "have", "member of an item: the map of what the node has", &type_text, MEMBER(rollout_fits, have) },
        { "used", "member of an item: the map of what of it is used", &type_text, MEMBER(rollout_fits, used) },
        { "of", "which numbers of the maps count", &type_texts, MEMBER(rollout_fits, of), .or_one = true },
};
static const struct schema fits_table =
    SCHEMA(rollout_fits, fits_rows, "`fits`", "a batch is so small that what runs on it fits on the other nodes");

static const struct schema_field items_rows[] = {
        { "path", "where the list is, JSON, at the same server", &type_text, MEMBER(rollout_items, path),
          .pattern = URL_PATH_PATTERN, .pattern_means = URL_PATH_MEANS },
        { "list", "key of the list in it", &type_text, MEMBER(rollout_items, list) },
        { "where", "member of an item that is the node's name or address", &type_text, MEMBER(rollout_items, where) },
        { "value", "member of an item that is {{value}}", &type_text, MEMBER(rollout_items, value) },
};
static const struct schema items_table =
    SCHEMA(rollout_items, items_rows, "`items`", "items of a list that are the node's: {{#items}}{{value}}{{/items}}");

static const struct schema_field action_rows[] = {
        { "name", "name for messages", &type_text, MEMBER(rollout_action, name), .required = true },
        { "at", "where it is done: " AT_HELP, &type_text, MEMBER(rollout_action, at), .required = true,
          .pattern = AT_PATTERN, .pattern_means = AT_MEANS },
        { "ssh", "words of a command, run there by ssh as root", &type_texts, MEMBER(rollout_action, ssh) },
        { "input",
          "template of what the command reads; {{node.name}} and {{node.ip}} are the node's, {{#others}}{{name}} "
          "{{ip}}{{/others}} the role's nodes that are not being changed, {{#members}} all of them",
          &type_text, MEMBER(rollout_action, input) },
        { "method", "an HTTP request instead of a command", &type_text, MEMBER(rollout_action, method),
          .choices = methods },
        { "port", "port of the request", &type_integer, MEMBER(rollout_action, port), .fallback = "80", .min = 1,
          .max = 65535 },
        { "path", "template of the request's path", &type_text, MEMBER(rollout_action, path),
          .pattern = URL_PATH_PATTERN, .pattern_means = URL_PATH_MEANS },
        { "body", "template of the request's body, JSON", &type_text, MEMBER(rollout_action, body) },
        { "items", "what {{#items}} is; where there are none, nothing is done", &type_table,
          MEMBER(rollout_action, items), .table = &items_table },
        { "once", "once for a batch, and not for each of its nodes", &type_bool, MEMBER(rollout_action, once),
          .fallback = "false" },
        { "settle_s", "how long to wait after it, in seconds, until what it changes has come to be known",
          &type_integer, MEMBER(rollout_action, settle_s), .fallback = "0", .min = 0, .max = 3600 },
};
static const struct schema action_table =
    SCHEMA(rollout_action, action_rows, "an action", "a command by ssh or an HTTP request");

static const struct schema_field rollout_rows[] = {
        { "order", "roles with a lower number are done first; 50 for roles that say nothing", &type_integer,
          MEMBER(rollout_keys, order), .fallback = "50", .min = 0, .max = 1000 },
        { "batch", "how many nodes at once, at most; an ensemble's go one by one", &type_integer,
          MEMBER(rollout_keys, batch), .fallback = "1", .min = 1, .max = 100000 },
        { "reboot",
          "how a node boots again: by ssh (systemctl reboot), by ipmi (its `bmc`), or by somebody's hand (button); "
          "--reboot says another one",
          &type_choice, MEMBER(rollout_keys, reboot), .choices = rollout_reboot_names, .fallback = "ssh" },
        { "settle_s", "how long to wait after a step, in seconds, once all is healthy", &type_integer,
          MEMBER(rollout_keys, settle_s), .fallback = "0", .min = 0, .max = 86400 },
        { "leads", "who leads in what: leaders go last, in the order of this list", &type_tables,
          MEMBERS(rollout_keys, leads, lead_count), .table = &lead_table },
        { "before", "what must be so before a node is touched", &type_tables,
          MEMBERS(rollout_keys, before, before_count), .table = &condition_table },
        { "fits", "how large a batch may be", &type_table, MEMBER(rollout_keys, fits), .table = &fits_table },
        { "drain", "what is done before nodes boot again, in this order", &type_tables,
          MEMBERS(rollout_keys, drain, drain_count), .table = &action_table },
        { "undrain", "what takes it back: afterwards, and whatever went wrong", &type_tables,
          MEMBERS(rollout_keys, undrain, undrain_count), .table = &action_table },
};
const struct schema rollout_table = SCHEMA(rollout_keys, rollout_rows, "`rollout`",
                                           "what `kiln rollout` does with the role's nodes; a role that has it takes "
                                           "nothing of its parents'");

void rollout_join(const struct value *tree, const struct rollout_keys *written, struct rollout_keys *into) {
        if (schema_given(tree, "rollout"))
                *into = *written;
}
