// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Segue.Samples
{
    /// <summary>A live soundtrack with buttons: put it on an empty object, start a server, press Play.</summary>
    [AddComponentMenu("Segue/Samples/Minimal Music")]
    public sealed class MinimalMusic : MonoBehaviour
    {
        private static readonly int Danger = SoundtrackPlayer.ParameterId("danger");

        [Tooltip("The server's gRPC-Web address.")]
        [SerializeField] private string server = "http://localhost:7471";
        [Tooltip("A soundtrack that the server has.")]
        [SerializeField] private string soundtrack = "dungeon";
        [Tooltip("States to make buttons of.")]
        [SerializeField] private string[] states = { "explore", "tension", "combat", "boss", "victory" };

        private SoundtrackPlayer _music;
        private float _danger;
        private float _flash;
        private bool _isPaused;
        private int _underruns;

        private void Start()
        {
#if ENABLE_INPUT_SYSTEM && !ENABLE_LEGACY_INPUT_MANAGER
            Debug.LogWarning("Segue sample: its buttons need Project Settings → Player → Active Input Handling: Both.", this);
#endif
            // What hears is on the camera of every new scene.
            if (Camera.main == null) new GameObject("Listener").AddComponent<AudioListener>();
            gameObject.AddComponent<AudioSource>();
            _music = gameObject.AddComponent<SoundtrackPlayer>();
            _music.Connection = SegueConnectionSettings.At(server);
            _music.Soundtrack = soundtrack;
            _music.OnBeat += beat => _flash = beat.Beat_ == 0 ? 1f : 0.5f;
            _music.OnUnderrun += count => _underruns = count;
            _music.Play();
        }

        private void Update()
        {
            _flash = Mathf.Max(0f, _flash - 3f * Time.deltaTime);
            // Every frame is fine: it is sent when it has changed, at most every 50 ms.
            _music.SetParameter(Danger, _danger);
        }

        private void OnGUI()
        {
            GUILayout.BeginArea(new Rect(20f, 20f, 420f, 420f));
            GUILayout.Label(soundtrack + ": " + _music.MusicState + "    (" + _music.State + ")");
            GUILayout.BeginHorizontal();
            foreach (string state in states)
            {
                if (GUILayout.Button(state)) _music.SetState(state);
            }
            GUILayout.EndHorizontal();
            GUILayout.BeginHorizontal();
            if (GUILayout.Button("enemy_spotted")) _music.PostEvent("enemy_spotted");
            if (GUILayout.Button("chest_opened")) _music.PostEvent("chest_opened");
            if (GUILayout.Button(_isPaused ? "go on" : "pause")) _music.SetPaused(_isPaused = !_isPaused);
            GUILayout.EndHorizontal();
            GUILayout.Label("danger " + _danger.ToString("0.00"));
            _danger = GUILayout.HorizontalSlider(_danger, 0f, 1f);
            GUILayout.Label("volume");
            _music.Volume = GUILayout.HorizontalSlider(_music.Volume, 0f, 1f);
            var session = _music.Session;
            int buffered = session == null ? 0 : session.Mixer.Reserve / 48;
            GUILayout.Label("buffer " + buffered + " ms, underruns " + _underruns);
            GUILayout.EndArea();
            // Twice the lead fills the meter.
            Bar(new Rect(20f, 450f, 420f * Mathf.Clamp01(buffered / (2f * _music.LeadMs)), 12f), Color.green);
            Bar(new Rect(20f, 470f, 40f, 40f), new Color(1f, 0.6f, 0.1f, _flash));
        }

        private static void Bar(Rect place, Color color)
        {
            var before = GUI.color;
            GUI.color = color;
            GUI.DrawTexture(place, Texture2D.whiteTexture);
            GUI.color = before;
        }
    }
}
