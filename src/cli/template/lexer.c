/* A template's text becomes tokens. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template/internal.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static struct token token(enum token_kind kind, size_t at, const char *text, size_t len)
{
    return (struct token){.kind = kind, .at = at, .text = xstrndup(text, len)};
}

static struct token failure(size_t at, const char *message)
{
    return token(TOKEN_ERROR, at, message, strlen(message));
}

/* Text up to the next action, with the trimming that {{- and -}} ask for. */
static struct token lex_text(struct lexer *l)
{
    const char *from = l->text + l->at, *open = strstr(from, "{{");
    size_t start = l->at, end = open ? (size_t)(open - l->text) : strlen(l->text);

    l->at = end;
    if (l->trim_next)
        while (start < end && is_blank(l->text[start]))
            start++;
    l->trim_next = false;
    if (open && open[2] == '-' && is_blank(open[3]))
        while (end > start && is_blank(l->text[end - 1]))
            end--;
    return token(TOKEN_TEXT, start, l->text + start, end - start);
}

/* Behind "{{": a comment is skipped as a whole. True if there was one (or a broken one, in *ret). */
static bool lex_comment(struct lexer *l, size_t at, struct token *ret)
{
    const char *p = l->text + l->at, *end;

    if (strncmp(p, "/*", 2) != 0)
        return false;
    end = strstr(p, "*/");
    if (!end) {
        *ret = failure(at, "unclosed comment");
        return true;
    }
    end += 2;
    l->trim_next = is_blank(end[0]) && strncmp(end + 1, "-}}", 3) == 0;
    if (l->trim_next)
        end += 2;
    if (strncmp(end, "}}", 2) != 0) {
        *ret = failure(at, "comment ends before closing delimiter");
        return true;
    }
    l->at = (size_t)(end + 2 - l->text);
    *ret = lexer_next(l);
    return true;
}

static struct token lex_open(struct lexer *l)
{
    size_t at = l->at;
    struct token comment;

    l->at += 2;
    if (l->text[l->at] == '-' && is_blank(l->text[l->at + 1]))
        l->at += 2;
    if (lex_comment(l, at, &comment))
        return comment;
    l->inside = true;
    l->parens = 0;
    return token(TOKEN_OPEN, at, "{{", 2);
}

/* Appends a code point as UTF-8. */
static void append_rune(struct buf *b, unsigned long rune)
{
    if (rune < 0x80) {
        buf_putc(b, (char)rune);
    } else if (rune < 0x800) {
        buf_putc(b, (char)(0xc0 | rune >> 6));
        buf_putc(b, (char)(0x80 | (rune & 63)));
    } else if (rune < 0x10000) {
        buf_putc(b, (char)(0xe0 | rune >> 12));
        buf_putc(b, (char)(0x80 | (rune >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (rune & 63)));
    } else {
        buf_putc(b, (char)(0xf0 | (rune >> 18 & 7)));
        buf_putc(b, (char)(0x80 | (rune >> 12 & 63)));
        buf_putc(b, (char)(0x80 | (rune >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (rune & 63)));
    }
}

/* Decodes one escape behind a backslash into out. The characters used, 0 for an unknown escape. */
static size_t decode_escape(const char *p, struct buf *out)
{
    static const char names[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
    const char *known = *p ? strchr(names, *p) : NULL;
    size_t digits = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    char number[9] = "";

    if (known) {
        buf_putc(out, values[known - names]);
        return 1;
    }
    if (*p >= '0' && *p <= '7' && strspn(p, "01234567") >= 3) {
        snprintf(number, sizeof(number), "%.3s", p);
        buf_putc(out, (char)strtoul(number, NULL, 8));
        return 3;
    }
    if (!digits || strspn(p + 1, "0123456789abcdefABCDEF") < digits)
        return 0;
    snprintf(number, sizeof(number), "%.*s", (int)digits, p + 1);
    if (digits == 2)
        buf_putc(out, (char)strtoul(number, NULL, 16));
    else
        append_rune(out, strtoul(number, NULL, 16));
    return digits + 1;
}

static struct token lex_quoted(struct lexer *l, char quote)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(1024 * 1024);
    size_t at = l->at++;

    for (;;) {
        char c = l->text[l->at];

        if (!c || c == '\n')
            return failure(at,
                           quote == '"' ? "unterminated quoted string" : "unterminated character constant");
        l->at++;
        if (c == quote)
            break;
        if (c == '\\') {
            size_t used = decode_escape(l->text + l->at, &out);

            if (!used)
                return failure(at, "invalid syntax");
            l->at += used;
        } else {
            buf_putc(&out, c);
        }
    }
    if (quote == '\'') {
        const unsigned char *p = (const unsigned char *)buf_str(&out);
        unsigned rune = p[0] < 0x80 ? p[0] : p[0] < 0xe0 ? p[0] & 31u : p[0] < 0xf0 ? p[0] & 15u : p[0] & 7u;
        char number[16];

        for (size_t i = 1; p[0] >= 0x80 && i < out.len; i++)
            rune = rune << 6 | (p[i] & 63u);
        snprintf(number, sizeof(number), "%u", rune);
        return token(TOKEN_CHAR, at, number, strlen(number));
    }
    return token(TOKEN_STRING, at, buf_str(&out), out.len);
}

static struct token lex_raw(struct lexer *l)
{
    size_t at = l->at;
    const char *from = l->text + at + 1, *end = strchr(from, '`');

    if (!end)
        return failure(at, "unterminated raw quoted string");
    l->at = (size_t)(end + 1 - l->text);
    return token(TOKEN_STRING, at, from, (size_t)(end - from));
}

static struct token lex_run(struct lexer *l, enum token_kind kind, size_t skip, bool (*belongs)(char))
{
    size_t at = l->at, from = at + skip;

    l->at = from;
    while (l->text[l->at] && belongs(l->text[l->at]))
        l->at++;
    if (kind == TOKEN_VARIABLE)
        from = at;
    return token(kind, at, l->text + from, l->at - from);
}

static bool is_number_part(char c)
{
    return is_word(c) || c == '.' || c == '+' || c == '-';
}

/* The end of an action: "}}" or " -}}". */
static bool lex_close(struct lexer *l, struct token *ret)
{
    const char *p = l->text + l->at;
    bool trim = is_blank(p[0]) && strncmp(p + 1, "-}}", 3) == 0;

    if (!trim && strncmp(p, "}}", 2) != 0)
        return false;
    if (l->parens) {
        *ret = failure(l->at, "unclosed left paren");
        return true;
    }
    *ret = token(TOKEN_CLOSE, l->at, "}}", 2);
    l->at += trim ? 4 : 2;
    l->trim_next = trim;
    l->inside = false;
    return true;
}

static struct token lex_symbol(struct lexer *l, char c)
{
    char message[64];

    l->parens += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (l->parens < 0)
        return failure(l->at, "unexpected right paren");
    if (strchr("()|,=", c))
        return token(TOKEN_SYMBOL, l->at++, &c, 1);
    snprintf(message, sizeof(message), "unexpected U+%04X '%c' in action", (unsigned char)c, c);
    return token(TOKEN_ERROR, l->at, message, strlen(message));
}

struct token lexer_next(struct lexer *l)
{
    const char *p = l->text + l->at;
    struct token t;

    if (!l->inside) {
        if (!*p)
            return token(TOKEN_END, l->at, "EOF", 3);
        return strncmp(p, "{{", 2) == 0 ? lex_open(l) : lex_text(l);
    }
    if (lex_close(l, &t))
        return t;
    if (!*p)
        return failure(l->at, "unclosed action");
    if (is_blank(*p)) {
        size_t at = l->at;

        while (is_blank(l->text[l->at]) && strncmp(l->text + l->at + 1, "-}}", 3) != 0)
            l->at++;
        return token(TOKEN_SPACE, at, " ", 1);
    }
    if (p[0] == ':' && p[1] == '=') {
        l->at += 2;
        return token(TOKEN_DECLARE, l->at - 2, ":=", 2);
    }
    if (*p == '"' || *p == '\'')
        return lex_quoted(l, *p);
    if (*p == '`')
        return lex_raw(l);
    if (*p == '$')
        return lex_run(l, TOKEN_VARIABLE, 1, is_word);
    if (*p == '.' && !isdigit((unsigned char)p[1]))
        return is_word(p[1]) ? lex_run(l, TOKEN_FIELD, 1, is_word) : token(TOKEN_DOT, l->at++, ".", 1);
    if (isdigit((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
        return lex_run(l, TOKEN_NUMBER, 0, is_number_part);
    if (is_word(*p))
        return lex_run(l, TOKEN_WORD, 0, is_word);
    return lex_symbol(l, *p);
}
