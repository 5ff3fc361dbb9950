package harness

import (
	"path/filepath"
	"reflect"
	"runtime"

	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
)

// GatewayAPIKinds is the folder of the Gateway API's own kinds in its module, which is found by one of its functions.
func GatewayAPIKinds() string {
	function := runtime.FuncForPC(reflect.ValueOf(gatewayapi.Resource).Pointer())
	file, _ := function.FileLine(function.Entry())
	return filepath.Join(filepath.Dir(file), "../../config/crd/standard")
}
