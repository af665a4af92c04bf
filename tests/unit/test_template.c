/* Go templates over JSON: what docker's --format gives for the same data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "cli/template/template.h"

static const char data[] =
    "{\"Name\": \"/web\", \"Count\": 3, \"Ratio\": 1.5, \"On\": true, \"Off\": false, \"None\": null,"
    " \"Args\": [\"a\", \"b\", \"c\"], \"Empty\": [], \"Config\": {\"Labels\": {\"z\": \"1\", \"a\": \"2\"}},"
    " \"Binds\": null, \"State\": {\"Status\": \"up\", \"Pid\": 7},"
    " \"Ports\": {\"80/tcp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"8080\"}], \"81/tcp\": {}}}";

struct sample {
    const char *text;
    const char *result; /* or, with `fails`, the message */
    int fails;
};

static void check(const struct sample *s)
{
    struct err err = {0};
    json_t *json = json_loads(data, 0, NULL);
    struct template *t = template_parse("", s->text, &err);
    struct buf out = BUF_INIT(1024 * 1024);
    int r = t ? template_execute(t, json, &out, &err) : -1;

    assert_non_null(json);
    if (s->fails) {
        assert_int_equal(r, -1);
        assert_string_equal(err.message, s->result);
    } else {
        if (r < 0)
            fail_msg("%s: %s", s->text, err.message);
        assert_string_equal(buf_str(&out), s->result);
    }
    buf_finish(&out);
    template_free(t);
    json_decref(json);
}

#define CHECK_ALL(samples)                                                                                   \
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)                                                         \
    check(&samples[i])

static void test_fields(_unused_ void **state)
{
    static const struct sample samples[] = {
        {"plain", "plain", 0},
        {"{{.Name}} {{.State.Pid}}", "/web 7", 0},
        {"{{.Ratio}} {{.On}} {{.Off}}", "1.5 true false", 0},
        {"{{.None}}", "<no value>", 0},
        {"{{.Binds}} {{json .Binds}}", "[] null", 0},
        {"{{.Args}} {{.Empty}}", "[a b c] []", 0},
        {"{{.Config.Labels}}", "map[a:2 z:1]", 0},
        {"{{.Config.Labels.z}} {{.Config.Labels.none}} {{.Config.Labels.none.deeper}}",
         "1 <no value> <no value>", 0},
        {"{{if .Config.Labels.none}}there{{else}}not{{end}}", "not", 0},
        {"{{.Ports}}", "map[80/tcp:[{0.0.0.0 8080}] 81/tcp:{}]", 0},
        {"{{$.Name}} {{(index .Args 1)}}", "/web b", 0},
        {"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080", 0},
        {"{{.State.Health}}", "<nil>", 0},
        {"{{if .State.Health}}y{{else}}n{{end}}", "n", 0},
    };

    CHECK_ALL(samples);
}

static void test_control(_unused_ void **state)
{
    static const struct sample samples[] = {
        {"{{if .On}}a{{else}}b{{end}}{{if .Off}}c{{else if .On}}d{{end}}", "ad", 0},
        {"{{range .Args}}<{{.}}>{{end}}", "<a><b><c>", 0},
        {"{{range $i, $x := .Args}}{{$i}}{{$x}}{{end}}", "0a1b2c", 0},
        {"{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=2;z=1;", 0},
        {"{{range .Empty}}x{{else}}none{{end}}", "none", 0},
        {"{{range $i, $x := .Args}}{{if eq $i 1}}{{continue}}{{end}}{{$x}}{{end}}", "ac", 0},
        {"{{range .Args}}{{.}}{{break}}{{end}}", "a", 0},
        {"{{range 3}}{{.}}{{end}}", "012", 0},
        {"{{with .State}}{{.Status}}{{end}}{{with .None}}x{{else}}y{{end}}", "upy", 0},
        {"{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2", 0},
        {"{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21", 0},
        {"{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Name}}", "[/web]", 0},
        {"{{block \"b\" .Count}}<{{.}}>{{end}}", "<3>", 0},
        {"a {{- \" b \" -}} c{{/* gone */}}d", "a b cd", 0},
    };

    CHECK_ALL(samples);
}

static void test_functions(_unused_ void **state)
{
    static const struct sample samples[] = {
        {"{{json .Args}} {{json .State}}", "[\"a\",\"b\",\"c\"] {\"Status\":\"up\",\"Pid\":7}", 0},
        {"{{join .Args \", \"}} {{len .Args}} {{len .Name}}", "a, b, c 3 4", 0},
        {"{{split .Name \"e\"}}", "[/w b]", 0},
        {"{{upper .Name}} {{lower \"ABC\"}} {{title \"ab cd\"}}", "/WEB abc Ab Cd", 0},
        {"{{truncate \"héllo\" 2}}|{{pad \"x\" 1 2}}|", "hé| x  |", 0},
        {"{{.Name | printf \"%s-%s\" \"x\" | upper}}", "X-/WEB", 0},
        {"{{printf \"%b %b %U\" 5 -6 65}}", "101 -110 U+0041"},
        {"{{printf \"%5d|%-5s|%05d|%x|%q|%.2f|%t|%v\" 42 \"ab\" 7 255 \"q\\\"\" 1.005 true .Args}}",
         "   42|ab   |00007|ff|\"q\\\"\"|1.00|true|[a b c]", 0},
        {"{{printf \"%d\" \"x\"}} {{printf \"%s\"}}", "%!d(string=x) %!s(MISSING)", 0},
        {"{{eq .Count 3}} {{eq .Name \"a\" \"/web\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}}",
         "true true true true true false false", 0},
        {"{{and .On .Count}} {{or .Off \"x\"}} {{not .On}}", "3 x false", 0},
        {"{{index .Config.Labels \"a\"}}{{index .Config.Labels \"no\"}}", "2", 0},
        {"{{slice .Name 1 3}} {{slice .Args 1}}", "we [b c]", 0},
        {"{{print 1 2 \"a\" 3}} {{println \"x\"}}", "1 2a3 x\n", 0},
        {"{{html \"<a>\"}} {{urlquery \"a b\"}}", "&lt;a&gt; a+b", 0},
    };

    CHECK_ALL(samples);
}

static void test_messages(_unused_ void **state)
{
    static const struct sample samples[] = {
        {"{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"", 1},
        {"{{.State.Foo}}", "template: :1:8: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\"",
         1},
        {"x\n{{ .Foo }}", "template: :2:3: executing \"\" at <.Foo>: map has no entry for key \"Foo\"", 1},
        {"{{index .Args 9}}",
         "template: :1:2: executing \"\" at <index .Args 9>: error calling index: index out of range: 9", 1},
        {"{{", "template: :1: unclosed action", 1},
        {"{{.Name", "template: :1: unclosed action", 1},
        {"{{foo}}", "template: :1: function \"foo\" not defined", 1},
        {"{{if}}x{{end}}", "template: :1: missing value for if", 1},
        {"{{if .On}}", "template: :1: unexpected EOF", 1},
        {"{{end}}", "template: :1: unexpected {{end}}", 1},
        {"{{$x}}", "template: :1: undefined variable \"$x\"", 1},
        {"{{break}}", "template: :1: {{break}} outside {{range}}", 1},
        {"{{(.Name}}", "template: :1: unclosed left paren", 1},
        {"{{| upper}}", "template: :1: unexpected \"|\" in command", 1},
        {"{{.Name.Foo}}",
         "template: :1:7: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type interface {}", 1},
        {"{{upper 5}}", "template: :1:8: executing \"\" at <5>: expected string; found 5", 1},
        {"{{join .Name \",\"}}",
         "template: :1:7: executing \"\" at <.Name>: wrong type for value; expected []string; got string", 1},
        {"{{truncate .Name}}",
         "template: :1:2: executing \"\" at <truncate>: wrong number of args for truncate: want 2 got 1", 1},
        {"{{call .Name}}",
         "template: :1:2: executing \"\" at <call .Name>: error calling call: non-function .Name of type "
         "string",
         1},
    };

    CHECK_ALL(samples);
}

/* Hostile templates end in an error, not in a crash. */
static void test_bounds(_unused_ void **state)
{
    struct buf deep = BUF_INIT(1024 * 1024);
    struct err err = {0};
    struct template *t;

    for (int i = 0; i < 5000; i++)
        buf_puts(&deep, "{{if .On}}");
    assert_null(template_parse("", buf_str(&deep), &err));
    buf_reset(&deep);
    buf_puts(&deep, "{{");
    for (int i = 0; i < 5000; i++)
        buf_putc(&deep, '(');
    assert_null(template_parse("", buf_str(&deep), &err));
    t = template_parse("", "{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}", &err);
    assert_non_null(t);
    buf_reset(&deep);
    assert_int_equal(template_execute(t, json_true(), &deep, &err), -1);
    template_free(t);
    buf_finish(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),   cmocka_unit_test(test_control), cmocka_unit_test(test_functions),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
