// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Segue.Samples
{
    /// <summary>
    /// A small dungeon whose music follows the game: put it on an empty object, start a server with examples/dungeon, press
    /// Play. What a game needs of Segue is in <see cref="Start"/> and in the calls of `_music`.
    /// </summary>
    [AddComponentMenu("Segue/Samples/Dungeon")]
    public sealed class DungeonGame : MonoBehaviour
    {
        private const float Sight = 6f;
        private const float Reach = 2.6f;

        [Tooltip("The server's gRPC-Web address.")]
        [SerializeField] private string server = "http://localhost:7471";
        [SerializeField] private float walkingSpeed = 6f;

        private readonly HashSet<Transform> _awake = new HashSet<Transform>();
        private SoundtrackPlayer _music;
        private DungeonLevel _level;
        private Camera _camera;
        private int _bossHits;
        private bool _isChestOpen;
        private bool _isDoorOpen;

        /// <summary>What the music is told of the enemies' distance, 0 to 1.</summary>
        public float DangerNow { get; private set; }

        /// <summary>What has happened last, for the display.</summary>
        public string News { get; private set; } = "WASD walks, Space strikes. There is a chest, and a door at the far end.";

        private void Start()
        {
#if ENABLE_INPUT_SYSTEM && !ENABLE_LEGACY_INPUT_MANAGER
            Debug.LogError("Segue sample: it needs Project Settings → Player → Active Input Handling: Both.", this);
            enabled = false;
            return;
#else
            _level = new DungeonLevel(transform);
            _camera = Camera.main;
            if (_camera == null)
            {
                _camera = new GameObject("Camera").AddComponent<Camera>();
                _camera.gameObject.AddComponent<AudioListener>();
            }
            gameObject.AddComponent<AudioSource>();
            _music = gameObject.AddComponent<SoundtrackPlayer>();
            _music.Connection = SegueConnectionSettings.At(server);
            _music.Soundtrack = DungeonSoundtrack.Id;
            _music.OnBar += bar => _level.Flare(1f);
            _music.OnBeat += beat => _level.Flare(0.3f);
            _music.Play();
            gameObject.AddComponent<DungeonHud>().Show(this, _music);
#endif
        }

        private void Update()
        {
            Walk();
            DangerNow = Hunt();
            _music.SetParameter(DungeonSoundtrack.ParameterIds.Danger, DangerNow);
            OpenThings();
            if (Input.GetKeyDown(KeyCode.Space)) Strike();
            _level.Flicker(Time.time, Time.deltaTime);
        }

        private void Walk()
        {
            var wish = new Vector3(Input.GetAxisRaw("Horizontal"), 0f, Input.GetAxisRaw("Vertical"));
            _level.Player.SimpleMove(walkingSpeed * wish.normalized);
            var here = _level.Player.transform.position;
            _camera.transform.position = here + new Vector3(0f, 13f, -8f);
            _camera.transform.LookAt(here);
        }

        /// <summary>Who sees the player goes after him; gives how near the nearest one is, 1 at arm's length, 0 out of sight.</summary>
        private float Hunt()
        {
            var here = _level.Player.transform.position;
            float nearest = float.MaxValue;
            foreach (var enemy in Hunters())
            {
                float distance = Vector3.Distance(enemy.position, here);
                nearest = Mathf.Min(nearest, distance);
                if (distance < Sight && _awake.Add(enemy))
                {
                    News = "You were seen.";
                    if (enemy != _level.Boss) _music.PostEvent(DungeonSoundtrack.Events.EnemySpotted);
                }
                if (!_awake.Contains(enemy) || distance < 1.5f) continue;
                var goal = new Vector3(here.x, enemy.position.y, here.z);
                enemy.position = Vector3.MoveTowards(enemy.position, goal, 2.5f * Time.deltaTime);
            }
            return Mathf.Clamp01((2.5f * Sight - nearest) / (2f * Sight));
        }

        private IEnumerable<Transform> Hunters()
        {
            foreach (var enemy in _level.Enemies) yield return enemy;
            if (_isDoorOpen && _level.Boss.gameObject.activeSelf) yield return _level.Boss;
        }

        private void OpenThings()
        {
            var here = _level.Player.transform.position;
            if (!_isChestOpen && Vector3.Distance(here, _level.Chest.position) < 2f)
            {
                _isChestOpen = true;
                DungeonLevel.Paint(_level.Chest, Color.white);
                News = "Treasure.";
                _music.PostEvent(DungeonSoundtrack.Events.ChestOpened);
            }
            if (_isDoorOpen)
                _level.Door.localPosition = Vector3.MoveTowards(_level.Door.localPosition, DungeonLevel.DoorOpen, 2f * Time.deltaTime);
            else if (Vector3.Distance(here, _level.Door.position) < 2.5f)
            {
                _isDoorOpen = true;
                News = "The door opens. The music goes there when its phrase ends.";
                _music.PostEvent(DungeonSoundtrack.Events.BossDoorOpened);
            }
        }

        private void Strike()
        {
            var here = _level.Player.transform.position;
            foreach (var enemy in new List<Transform>(Hunters()))
            {
                if (Vector3.Distance(enemy.position, here) > Reach) continue;
                // A recording, mixed in on the next beat where the player has the baked folder with it.
                _music.PostTrigger(DungeonSoundtrack.Stingers.Hit);
                if (enemy == _level.Boss && ++_bossHits < 6)
                {
                    News = "Again: " + (6 - _bossHits);
                    continue;
                }
                enemy.gameObject.SetActive(false);
                _level.Enemies.Remove(enemy);
                News = "One less. It calms down when nobody is near for six seconds.";
                if (enemy != _level.Boss) continue;
                News = "The boss is dead.";
                _music.PostEvent(DungeonSoundtrack.Events.BossDied);
            }
        }
    }
}
