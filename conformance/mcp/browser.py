"""A person with a browser and a Gatehouse key: follows redirects, keeps cookies, fills in forms, presses the button that agrees."""

import html.parser
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request

PAGES_MAX = 12


class Form(html.parser.HTMLParser):
    """The first form of a page."""

    def __init__(self, text):
        super().__init__()
        self.method, self.action, self.fields, self.buttons, self.inside, self.seen = "get", "", {}, [], False, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and not self.seen:
            self.inside = self.seen = True
            self.method, self.action = given.get("method", "get").lower(), given.get("action") or ""
        elif self.inside and tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value") or ""
        elif self.inside and tag == "button" and given.get("name"):
            self.buttons.append((given["name"], given.get("value") or ""))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Browser:
    def __init__(self, key):
        self.key = key
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def visit(self, url):
        """Opens a page and goes on until there is nothing more to fill in; says where that was and what it said."""
        request = urllib.request.Request(url)
        for _ in range(PAGES_MAX):
            try:
                answer = self.opener.open(request, timeout=20)
            except urllib.error.HTTPError as refused:
                answer = refused
            except OSError as error:
                return f"{request.full_url}: {error}"
            text = answer.read().decode("utf-8", "replace")
            form = Form(text)
            if not form.seen or answer.status >= 400:
                return f"{answer.status} {answer.url} {' '.join(text.split())[-300:]}"
            request = self.filled_in(form, answer.url)
        return "too many pages"

    def filled_in(self, form, url):
        fields = dict(form.fields)
        if "key" in fields:
            fields["key"] = self.key
        if form.buttons:
            # Of several buttons the first agrees.
            name, value = form.buttons[0]
            fields[name] = value
        target, body = urllib.parse.urljoin(url, form.action), urllib.parse.urlencode(fields)
        if form.method != "post":
            return urllib.request.Request(f"{target}?{body}")
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target))
        return urllib.request.Request(target, body.encode(), {"origin": origin})
