# Varnish in front of tocsin-responder: GET answers and CRLs are cached for as long as they say, and purged by tag.
#
#   tocsin.yaml:  responder: {tags: xkey}
#   needs:        varnish, varnish-modules (xkey)
#   purge:        tocsin purge-tags --issuer NAME --file LIST | xargs -n 200 |
#                 while read -r tags; do curl -fsS -X PURGE -H "xkey-purge: $tags" http://127.0.0.1:6081/; done
#
# One purge takes as many tags as fit into a field of 8 kB. Read docs/caching.md for the order of things.
vcl 4.1;

import std;
import xkey;

backend tocsin {
        .host = "127.0.0.1";
        .port = "8080";
        .connect_timeout = 1s;
        .first_byte_timeout = 10s; # every answer comes within 10 s
        .probe = {
                .url = "/healthz";
                .interval = 1s;
                .timeout = 1s;
                .window = 4;
                .threshold = 2;
                .initial = 2;
        }
}

# Who may purge.
acl operators {
        "127.0.0.1";
        "::1";
}

sub vcl_recv {
        if (req.method == "PURGE") {
                if (client.ip !~ operators) {
                        return (synth(405, "Method Not Allowed"));
                }
                if (!req.http.xkey-purge) {
                        return (synth(400, "xkey-purge: the tags to purge"));
                }
                return (synth(200, "Purged " + xkey.purge(req.http.xkey-purge)));
        }
        # A question by POST: always answered by the origin, which is fast enough for those.
        if (req.method != "GET" && req.method != "HEAD") {
                return (pass);
        }
        # Nothing but the URL decides about an answer. It is taken as it is: "//" and %2F are data.
        unset req.http.Cookie;
        unset req.http.Authorization;
        unset req.http.Accept-Encoding;
        return (hash);
}

sub vcl_hash {
        hash_data(req.url);
        return (lookup);
}

sub vcl_backend_response {
        # The lifetime is the origin's. After it nothing is served any more, not even while a fresh one is fetched.
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        if (beresp.http.Cache-Control ~ "no-store" || beresp.status >= 500) {
                # Errors are not kept, nor is the fact that there was one: the next question may be answered.
                set beresp.ttl = 0s;
                set beresp.uncacheable = false;
        }
        # A CRL of 100 MB goes out while it comes in.
        set beresp.do_stream = true;
        return (deliver);
}

sub vcl_deliver {
        unset resp.http.xkey;
        unset resp.http.X-Varnish;
        unset resp.http.Via;
}
