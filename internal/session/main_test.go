package session

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }
