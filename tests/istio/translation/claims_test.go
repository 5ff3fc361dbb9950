package translation

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"canary-split/tests/istio/harness"
)

// issuer signs tokens that Istio verifies.
type issuer struct {
	signer jose.Signer
	policy string // the RequestAuthentication, YAML
}

const requestAuthentication = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  jwtRules: [{issuer: %q, jwks: %q}]
`

func newIssuer(t *testing.T, name string) *issuer {
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}}
	jwks := must(json.Marshal(set))(t)
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil))(t)
	return &issuer{signer, fmt.Sprintf(requestAuthentication, name, jwks)}
}

// bearer is the header's value for a token with these claims.
func (i *issuer) bearer(t *testing.T, claims map[string]any) string {
	signed := must(i.signer.Sign(must(json.Marshal(claims))(t)))(t)
	return "Bearer " + must(signed.CompactSerialize())(t)
}

const claimRules = `"rules":[` +
	`{"name":"testers","match":[{"claims":{"realm.groups":{"exact":"beta"}}}],"subset":"v2"},` +
	`{"name":"users","match":[{"claims":{"sub":{}}}],"split":[{"subset":"v1","weight":1},{"subset":"v2","weight":1}],` +
	`"sticky":{"keys":[{"claim":"sub"}]}},`

// What a RequestAuthentication lets Envoy know of a token is what rules and keys see, as istiod wires it.
func verifiedClaimsDecide(t *testing.T, g *gateway) {
	const name = "https://issuer.example.com"
	tokens, forger := newIssuer(t, name), newIssuer(t, name)
	text := must(render("manifests/overlays/weighted"))(t) + "\n---\n" + tokens.policy
	w := must(must(worldOf(text))(t).withConfig(func(text string) string {
		return strings.Replace(text, `"rules":[`, claimRules, 1)
	}))(t)
	g.apply(w)
	c := newClient(t, true)
	token := func(i *issuer, claims map[string]any) []string {
		claims["iss"] = name
		return []string{"authorization", i.bearer(t, claims)}
	}
	tester := map[string]any{"sub": "somebody", "realm": map[string]any{"groups": []string{"alpha", "beta"}}}
	harness.Until(t, "testers by their group", func() bool { return c.count(t, 20, token(tokens, tester)...) == 20 })

	seen := map[string]int{}
	for user := range 40 {
		claims := map[string]any{"sub": fmt.Sprint("user-", user), "realm": map[string]any{"groups": []string{"alpha"}}}
		headers := token(tokens, claims)
		home := must(c.get(headers...))(t).body
		if v2 := c.count(t, 3, headers...); v2 != map[string]int{"v1": 0, "v2": 3}[home] {
			t.Errorf("user %d was in %s, then %d of 3 times in v2", user, home, v2)
		}
		seen[home]++
	}
	if seen["v1"] < 5 || seen["v2"] < 5 {
		t.Errorf("40 users: %v", seen)
	}
	if answer, err := c.get(token(forger, tester)...); err == nil || answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a forged token: %v", err)
	}
	if v2 := c.count(t, 300, "x-jwt-claim-sub", "user-1"); !harness.Near(v2, 300, 0.2) {
		t.Errorf("without a token %d of 300 see v2", v2)
	}
}
