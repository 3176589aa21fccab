package session

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
